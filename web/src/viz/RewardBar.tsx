import type { EpisodeConfig, TurnView } from "../episode/types";
import { figure, share } from "./format";

/** The reward as one bar that adds up, and its four components. */
export function RewardBar({ turn, config }: { turn: TurnView; config: EpisodeConfig }) {
  const { verifier } = config;
  if (verifier === undefined) return null;
  const { reward } = turn;
  const parts = [
    { name: "Match", value: reward.match, weight: verifier.weight_match, colour: "--match" },
    {
      name: "Progress",
      value: reward.progress,
      weight: verifier.weight_progress,
      colour: "--progress",
    },
    {
      name: "Simplicity",
      value: reward.simplicity,
      weight: verifier.weight_simplicity,
      colour: "--simplicity",
    },
    { name: "Format", value: reward.format, weight: verifier.weight_format, colour: "--format" },
  ];
  const clipped = Object.entries(turn.fits).filter(([, fit]) => fit.r2 !== null && fit.r2 < 0);
  return (
    <div className="grid gap-2" data-testid="reward">
      <div className="flex items-baseline justify-between">
        <h3>Reward</h3>
        <span className="text-lg font-semibold">{share(reward.total)}</span>
      </div>
      <div
        className="flex h-4 overflow-hidden rounded"
        style={{ border: "1px solid var(--control)" }}
        aria-hidden="true"
      >
        {parts.map((part) => (
          <div
            key={part.name}
            className="mark"
            style={{
              width: `${100 * part.weight * part.value}%`,
              background: `var(${part.colour})`,
              borderRight: "1px solid var(--surface)",
            }}
          />
        ))}
      </div>
      <dl className="grid grid-cols-2 gap-2 sm:grid-cols-4">
        {parts.map((part) => (
          <div key={part.name}>
            <dt className="text-xs text-muted">
              <span
                aria-hidden="true"
                className="swatch mark"
                style={{ background: `var(${part.colour})` }}
              />
              {part.name} × {part.weight}
            </dt>
            <dd className="font-semibold">{share(part.value)}</dd>
          </div>
        ))}
      </dl>
      <details>
        <summary className="text-xs text-muted">How it adds up</summary>
        <code className="text-xs">
          {parts.map((part) => `${part.weight} ${part.name.toLowerCase()}`).join(" + ")}
        </code>
        {clipped.map(([name, fit]) => (
          <p key={name} className="text-xs text-muted">
            R² of {name} before clipping: {figure(fit.r2 ?? 0)}
            {fit.valid_time === null
              ? ""
              : `; within 10 % of its spread until ${figure(fit.valid_time)} s`}
          </p>
        ))}
      </details>
    </div>
  );
}
