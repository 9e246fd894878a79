import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import type { EpisodeView } from "../../episode/types";
import { Failure } from "../../shared/parts";
import { axisName, figure, symbol } from "../../viz/format";
import { Key, type Layer, Plot } from "../../viz/Plot";
import { Slider } from "./Slider";

/** After the end: the best law, and the true one beside it, from any start. Generalisation, seen. */
export function Elsewhere({ episode }: { episode: EpisodeView }) {
  const { task, turns, standing } = episode;
  const shown = task.shown[0];
  const begun = shown?.states[0] ?? [];
  const [start, setStart] = useState<number[]>(() => begun.map((value) => round(value)));
  const best = turns.find((turn) => turn.turn === standing.best_turn) ?? turns.at(-1);
  const equation = best?.parse.canonical ?? "";
  const params = { ...best?.params, ...best?.simulation.fitted };
  const moved = useQuery({
    queryKey: ["elsewhere", episode.episode_id, start],
    queryFn: () => api.elsewhere(episode.episode_id, { equation, params, start, rationale: "" }),
    enabled: equation !== "",
    placeholderData: (before) => before,
  });
  if (equation === "")
    return (
      <div className="panel">
        <p>The episode has ended without a law that parses.</p>
      </div>
    );
  const { t = [], found = [], truth = null, r2 = {} } = moved.data ?? {};
  return (
    <section className="panel grid gap-3" aria-label="Another start">
      <h2>Try another start</h2>
      <p className="text-muted">
        {truth === null
          ? "Where your best law leads from a start of your own."
          : "A law is right if it holds from other starts, too. Yours and the true law, from a start of your own:"}
      </p>
      {task.variables.map((variable, i) => (
        <Slider
          key={variable.name}
          name={`${symbol(variable.name)}(0)`}
          unit={variable.unit ?? undefined}
          value={start[i] ?? 0}
          onChange={(value) => setStart((all) => all.map((one, j) => (j === i ? value : one)))}
        />
      ))}
      <div className="flex flex-wrap gap-1">
        {[2, 0.5, -1].map((times) => (
          <button
            key={times}
            type="button"
            className="chip"
            onClick={() => setStart(begun.map((value) => round(times * value)))}
          >
            {times === 2 ? "Twice as far" : times === 0.5 ? "Half as far" : "The other way"}
          </button>
        ))}
      </div>
      {task.variables.map((variable, i) => {
        const layers: Layer[] = [
          ...(truth
            ? [
                {
                  name: "true law",
                  kind: "points" as const,
                  x: t,
                  y: column(truth, i),
                  colour: "var(--observed)",
                },
              ]
            : []),
          { name: "your law", kind: "line", x: t, y: column(found, i) },
        ];
        const value = r2[variable.name];
        return (
          <div key={variable.name}>
            <Plot
              height={150}
              x={`t${task.time_unit ? ` (${task.time_unit})` : ""}`}
              y={axisName(variable)}
              layers={layers}
              label={`${variable.name} from the start you chose${value === undefined ? "" : `, R² ${figure(value, 4)} against the true law`}`}
            />
            <div className="flex flex-wrap justify-between gap-2">
              <Key layers={layers} />
              {value !== undefined && (
                <span className="text-xs">
                  R² <strong>{figure(value, 4)}</strong>
                </span>
              )}
            </div>
          </div>
        );
      })}
      {moved.error && <Failure error={moved.error} />}
    </section>
  );
}

const round = (value: number) => Number(value.toPrecision(4));
const column = (rows: readonly (readonly number[])[], i: number) =>
  rows.map((row) => row[i] ?? Number.NaN);
