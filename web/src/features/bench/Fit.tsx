import type { Followed, Task } from "../../episode/types";
import { axisName, figure, symbol } from "../../viz/format";
import { type Layer, Plot } from "../../viz/Plot";

interface Props {
  followed: Followed;
  task: Task;
  run: number;
  onRun: (run: number) => void;
}

const column = (rows: readonly (readonly (number | null)[])[], i: number) =>
  rows.map((row) => row[i] ?? Number.NaN);

/** Data and law over time, and what was held back beside them. */
export function Fit({ followed, task, run, onRun }: Props) {
  const { shown, held_back: held } = followed;
  const track = shown[run] ?? shown[0];
  if (!track) return null;
  const time = `t${task.time_unit ? ` (${task.time_unit})` : ""}`;
  // Rows of one file go on where the shown ones end; a second file or a run begins anew.
  const continues = (held[0]?.t[0] ?? 0) > (track.t.at(-1) ?? 0);
  const beside = continues ? held : [];
  const apart = continues ? [] : held;
  return (
    <section className="panel grid gap-3" aria-label="The fit">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h3>Over time</h3>
        {shown.length > 1 && (
          <label className="flex items-center gap-2 text-xs text-muted">
            Run
            <select
              className="field"
              value={run}
              onChange={(event) => onRun(Number(event.target.value))}
            >
              {shown.map((_, k) => (
                <option key={k} value={k}>
                  {k + 1} of {shown.length}
                </option>
              ))}
            </select>
          </label>
        )}
        {followed.outcome !== "ok" && <p className="text-danger">{followed.message}</p>}
      </div>
      {task.variables.map((variable, i) => {
        const name = axisName(variable);
        const layers: Layer[] = [
          ...(variable.estimated
            ? []
            : [
                {
                  name: "measured",
                  kind: "points" as const,
                  x: track.t,
                  y: column(track.observed, i),
                  colour: "var(--observed)",
                },
              ]),
          { name: "law", kind: "line", x: track.t, y: column(track.predicted, i) },
          ...beside.flatMap((one): Layer[] => [
            {
              name: "held back",
              kind: "points",
              x: one.t,
              y: column(one.observed, i),
              colour: "var(--control)",
            },
            {
              name: "law on held back",
              kind: "line",
              x: one.t,
              y: column(one.predicted, i),
              colour: "var(--untrained)",
              dashed: true,
            },
          ]),
        ];
        const r2 = followed.fits[variable.name]?.r2;
        return (
          <Plot
            key={variable.name}
            legend
            height={190}
            x={time}
            y={`${name}${r2 == null ? "" : `   R² ${figure(r2, 5)}`}`}
            layers={
              variable.estimated ? layers.filter(({ name: one }) => one !== "held back") : layers
            }
            label={`${variable.name} over time, measured and by the law${r2 == null ? "" : `, R² ${figure(r2, 5)}`}`}
          />
        );
      })}
      {apart.map((one, k) => (
        <div key={k} className="grid gap-3">
          <h3>Held back{apart.length > 1 && `, ${k + 1} of ${apart.length}`}</h3>
          <div className="grid gap-3 md:grid-cols-2">
            {task.variables.map((variable, i) =>
              variable.estimated ? null : (
                <Plot
                  key={variable.name}
                  legend
                  height={150}
                  x={time}
                  y={symbol(variable.name)}
                  layers={[
                    {
                      name: "held back",
                      kind: "points",
                      x: one.t,
                      y: column(one.observed, i),
                      colour: "var(--control)",
                    },
                    {
                      name: "law",
                      kind: "line",
                      x: one.t,
                      y: column(one.predicted, i),
                      colour: "var(--untrained)",
                      dashed: true,
                    },
                  ]}
                  label={`${variable.name} of held-back motion ${k + 1}, measured and by the law`}
                />
              ),
            )}
          </div>
        </div>
      ))}
    </section>
  );
}
