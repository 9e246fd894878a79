import { useState } from "react";
import type { Followed, Task } from "../../episode/types";
import { axisName, figure, symbol } from "../../viz/format";
import { Plot } from "../../viz/Plot";
import { normalQuantiles } from "./laws";

const column = (rows: readonly (readonly (number | null)[])[], i: number) =>
  rows.map((row) => row[i] ?? Number.NaN);

/** What a law leaves over of one variable, in units of its noise: four views that should all show nothing. */
export function Leftovers({ followed, task }: { followed: Followed; task: Task }) {
  const observed = task.variables.filter((variable) =>
    followed.residuals.some((one) => one.variable === variable.name),
  );
  const [name, setName] = useState(observed[0]?.name);
  const chosen = observed.find((variable) => variable.name === name) ?? observed[0];
  const left = followed.residuals.find((one) => one.variable === chosen?.name);
  if (!chosen || !left)
    return (
      <p className="panel">
        These data declare no noise to measure residuals by, or the law could not be simulated.
      </p>
    );
  const place = task.variables.indexOf(chosen);
  const { shown } = followed;
  const pulls = shown.flatMap((track) => column(track.pulls, place));
  const times = shown.flatMap((track) => track.t.slice(0, track.pulls.length));
  const bound = 2 / Math.sqrt(left.samples);
  const axis = `${symbol(chosen.name)}, in σ`;
  const against = [
    ...task.variables.map((variable, i) => ({
      name: variable.name,
      unit: variable.unit,
      x: shown.flatMap((track) =>
        column(variable.estimated ? track.predicted : track.observed, i).slice(
          0,
          track.pulls.length,
        ),
      ),
    })),
    ...(task.inputs ?? []).map((input, i) => ({
      name: input.name,
      unit: input.unit,
      x: shown.flatMap((track) => column(track.inputs, i).slice(0, track.pulls.length)),
    })),
  ];
  const memory = Math.abs(left.autocorrelation[0] ?? 0) > 2 * bound;
  return (
    <section className="panel grid gap-3" aria-label="What is left over">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h3>What is left over</h3>
        {observed.length > 1 && (
          <fieldset className="flex flex-wrap" aria-label="Of which variable">
            {observed.map((variable) => (
              <button
                key={variable.name}
                type="button"
                className="tab"
                aria-pressed={variable === chosen}
                onClick={() => setName(variable.name)}
              >
                {symbol(variable.name)}
              </button>
            ))}
          </fieldset>
        )}
      </div>
      <p>
        χ² is {figure(left.chi2, 3)} a sample over {left.samples} samples (noise alone: 1);{" "}
        {memory
          ? "residuals resemble their neighbours"
          : "residuals do not resemble their neighbours"}
        ; the largest is {figure(left.worst, 3)} σ at t = {figure(left.worst_t)}
        {task.time_unit ? ` ${task.time_unit}` : ""}
        {shown.length > 1 && ` of run ${left.worst_run + 1}`}.
      </p>
      <Plot
        height={150}
        x={`t${task.time_unit ? ` (${task.time_unit})` : ""}`}
        y={`${axis}, over time`}
        layers={[
          { name: "residual", kind: "points", x: times, y: pulls, colour: "var(--residual)" },
        ]}
        lines={[
          { y: 0, name: "no residual" },
          { y: 2, name: "two standard deviations" },
          { y: -2, name: "two standard deviations" },
        ]}
        label={`Residuals of ${chosen.name} over time: the largest ${figure(left.worst, 3)} standard deviations`}
      />
      <div className="grid gap-4 md:grid-cols-2">
        <Plot
          height={160}
          x="lag (samples)"
          y="autocorrelation"
          layers={[
            {
              name: "autocorrelation",
              kind: "bars",
              x: left.autocorrelation.map((_, i) => i + 1),
              y: left.autocorrelation,
              colour: "var(--residual)",
            },
          ]}
          lines={[
            { y: bound, name: "95 % of white noise" },
            { y: -bound, name: "95 % of white noise, below" },
          ]}
          label={`Autocorrelation of the residuals of ${chosen.name}: ${figure(left.autocorrelation[0] ?? 0, 2)} at lag 1, white noise stays within ${figure(bound, 2)}`}
        />
        <Plot
          height={160}
          x="normal quantile"
          y="residual quantile (σ)"
          diagonal
          layers={[
            {
              name: "quantiles",
              kind: "points",
              x: normalQuantiles(left.quantiles.length),
              y: left.quantiles,
              colour: "var(--residual)",
            },
          ]}
          label={`Quantiles of the residuals of ${chosen.name} against those of the normal distribution`}
        />
        {against.map((one) => (
          <Plot
            key={one.name}
            height={150}
            x={axisName(one)}
            y={`${axis}, against ${symbol(one.name)}`}
            layers={[
              { name: "residual", kind: "points", x: one.x, y: pulls, colour: "var(--residual)" },
            ]}
            lines={[{ y: 0, name: "no residual" }]}
            label={`Residuals of ${chosen.name} against ${one.name}`}
          />
        ))}
      </div>
    </section>
  );
}
