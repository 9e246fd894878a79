import type { EpisodeConfig, TurnView } from "../episode/types";
import { figure, share } from "./format";

/** The reward as one bar that adds up, its four components, and what the verifier says. */
export function RewardBar({ turn, config }: { turn: TurnView; config: EpisodeConfig }) {
  const { verifier } = config;
  if (verifier === undefined) return null;
  const parts = [
    {
      name: "Match",
      value: turn.reward.match,
      weight: verifier.weight_match,
      colour: "var(--match)",
    },
    {
      name: "Progress",
      value: turn.reward.progress,
      weight: verifier.weight_progress,
      colour: "var(--progress)",
    },
    {
      name: "Simplicity",
      value: turn.reward.simplicity,
      weight: verifier.weight_simplicity,
      colour: "var(--simplicity)",
    },
    {
      name: "Format",
      value: turn.reward.format,
      weight: verifier.weight_format,
      colour: "var(--format)",
    },
  ];
  const clipped = Object.entries(turn.fits).filter(([, fit]) => fit.r2 !== null && fit.r2 < 0);
  return (
    <div className="grid gap-3" data-testid="reward">
      <div className="flex items-baseline justify-between">
        <h2>Reward</h2>
        <span style={{ fontSize: 18, lineHeight: "24px" }} className="font-semibold">
          {share(turn.reward.total)}
        </span>
      </div>
      <div
        className="flex h-4 overflow-hidden rounded"
        style={{ border: "1px solid var(--control)" }}
        aria-hidden="true"
      >
        {parts.map((part) => (
          <div
            key={part.name}
            style={{
              width: `${100 * part.weight * part.value}%`,
              background: part.colour,
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
                style={{
                  display: "inline-block",
                  width: 8,
                  height: 8,
                  background: part.colour,
                  marginRight: 6,
                }}
              />
              {part.name} × {part.weight}
            </dt>
            <dd className="font-semibold">{share(part.value)}</dd>
          </div>
        ))}
      </dl>
      <p>{turn.mismatch}</p>
      {turn.generalisation !== null && (
        <p className="text-muted">
          Generalisation <strong className="text-ink">{share(turn.generalisation)}</strong>: R² on
          hidden motions from other starts. Recorded, never rewarded.
        </p>
      )}
      {clipped.map(([name, fit]) => (
        <p key={name} className="text-xs text-muted">
          R² of {name} before clipping: {figure(fit.r2 ?? 0)}
          {fit.valid_time === null
            ? ""
            : `; within 10 % of its spread until ${figure(fit.valid_time)} s`}
        </p>
      ))}
      <details>
        <summary className="text-xs text-muted">Formula</summary>
        <code className="text-xs">
          {parts.map((part) => `${part.weight} ${part.name.toLowerCase()}`).join(" + ")}
        </code>
      </details>
    </div>
  );
}
