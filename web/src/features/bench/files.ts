// What a bench hands out: a table and a notebook. Values in, text out.

import type { EpisodeView, Followed, TurnView } from "../../episode/types";
import { toPython } from "../../panel/exports";
import type { Candidate } from "./laws";

/** Every row, shown and held back: measured, by the law, and the residual in units of the noise. */
export function toTable({ task }: EpisodeView, followed: Followed): string {
  const head = [
    "part",
    "run",
    "t",
    ...task.variables.flatMap(({ name }) => [name, `${name}_law`, `${name}_residual_sigma`]),
  ];
  const rows = (
    [
      ["shown", followed.shown],
      ["held back", followed.held_back],
    ] as const
  ).flatMap(([part, tracks]) =>
    tracks.flatMap((track, run) =>
      track.t.map((t, i) => [
        part,
        run + 1,
        t,
        ...task.variables.flatMap((_, column) => [
          track.observed[i]?.[column] ?? "",
          track.predicted[i]?.[column] ?? "",
          track.pulls[i]?.[column] ?? "",
        ]),
      ]),
    ),
  );
  return `${[head, ...rows].map((row) => row.join(",")).join("\n")}\n`;
}

/** Where a figure or a table comes from, in a line. */
export function provenance(episode: EpisodeView): string {
  const { task, policy, engine_version: engine, episode_id: id, config } = episode;
  return `${task.title}, found by ${policy}, profile ${config.verifier?.profile}, PhysiX-Live ${engine}, episode ${id}`;
}

/** A Jupyter notebook that integrates the law with SciPy and draws it over the data: no PhysiX-Live needed. */
export function toNotebook(episode: EpisodeView, law: Candidate, followed: Followed): string {
  const { task, targets } = episode;
  const turn = {
    params: law.params,
    parse: { canonical: followed.equation },
    simulation: { fitted: {}, starts: followed.shown.map((track) => track.predicted[0] ?? []) },
  } as unknown as TurnView;
  const names = task.variables.map(({ name }) => name);
  const draw = `import matplotlib.pyplot as plt

names = ${JSON.stringify(names)}
figure, axes = plt.subplots(len(names), 1, sharex=True, squeeze=False)
for column, (axis, name) in enumerate(zip(axes[:, 0], names)):
    axis.plot(times, data[:, column], "o", ms=3, mfc="none", label="measured")
    axis.plot(times, prediction[:, column], label="law")
    axis.set_ylabel(name)
axes[0, 0].legend()
axes[-1, 0].set_xlabel("t${task.time_unit ? ` (${task.time_unit})` : ""}")
plt.show()`;
  const constants = Object.entries(law.params).map(([name, value]) => `- ${name} = ${value}`);
  const cells = [
    markdown([
      `# ${task.title}`,
      task.hint,
      `$$${followed.latex}$$`,
      ...constants,
      `From ${provenance(episode)}.`,
    ]),
    code(toPython(task, targets, turn)),
    code(draw),
  ];
  return JSON.stringify(
    {
      cells,
      metadata: {
        kernelspec: { display_name: "Python 3", language: "python", name: "python3" },
        language_info: { name: "python" },
      },
      nbformat: 4,
      nbformat_minor: 5,
    },
    null,
    1,
  );
}

let cellNumber = 0;
const cell = () => `cell-${cellNumber++}`;
const source = (text: string) =>
  text.split("\n").map((line, i, all) => (i < all.length - 1 ? `${line}\n` : line));
const markdown = (parts: string[]) => ({
  cell_type: "markdown",
  id: cell(),
  metadata: {},
  source: source(parts.filter((part) => part !== "").join("\n\n")),
});
const code = (text: string) => ({
  cell_type: "code",
  id: cell(),
  execution_count: null,
  metadata: {},
  outputs: [],
  source: source(text),
});
