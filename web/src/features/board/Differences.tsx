import type { Board } from "../../episode/types";
import type { BoardSearch } from "../../shared/search";
import { ALONE, METRICS, nameOfColumn, shown, verdict, whyHeld } from "./cells";

interface Props {
  board: Board;
  metric: string;
  view: BoardSearch;
  onView: (view: BoardSearch) => void;
}

/** Two policies on the very same tasks: the difference with its interval, or that these tasks do not tell. */
export function Differences({ board, metric, view, onView }: Props) {
  const than = board.than ?? board.plan.policies[0] ?? "";
  const { share = false, title = metric } = METRICS[metric] ?? {};
  const found = board.differences.filter(
    (one) =>
      one.metric === metric &&
      (view.suite === undefined || one.suite === view.suite) &&
      (view.policy === undefined || one.policy === view.policy),
  );
  const held = whyHeld(board, metric);
  return (
    <section className="panel grid gap-2" aria-label="Paired differences">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>Task by task</h2>
        <label className="flex items-center gap-2">
          against
          <select
            className="field"
            value={than}
            onChange={(event) => onView({ ...view, than: event.target.value })}
          >
            {board.plan.policies.map((policy) => (
              <option key={policy}>{policy}</option>
            ))}
          </select>
        </label>
      </div>
      {held !== null && (
        <p className="text-muted">
          {title} of these tasks: {held}.
        </p>
      )}
      {held === null && found.length === 0 && (
        <p className="text-muted">
          {ALONE.has(metric)
            ? `${title} of two policies are not compared task by task; choose another number.`
            : `No task that both have played tells ${title.toLowerCase()} of them.`}
        </p>
      )}
      <ul className="grid gap-1">
        {found.map((one) => {
          const { mean, low, high } = one.interval;
          const said = verdict(one.interval);
          return (
            <li key={`${one.policy} ${nameOfColumn(one)}`} className="flex flex-wrap gap-x-3">
              <span>
                <span aria-hidden="true">
                  {said === "better" ? "▲ " : said === "worse" ? "▼ " : "= "}
                </span>
                {one.policy} on {nameOfColumn(one)}:
              </span>
              {mean !== null && (
                <span>
                  {mean > 0 ? "+" : ""}
                  {shown(mean, share).replace("-", "\u2212")}
                  {low !== null &&
                    high !== null &&
                    ` [${shown(low, share)}, ${shown(high, share)}]`.replaceAll("-", "\u2212")}
                </span>
              )}
              <span className={said === "unclear" ? "text-warn" : "text-muted"}>
                {said === "unclear"
                  ? `not enough tasks to tell (n = ${one.n})`
                  : `${said} than ${one.than}, n = ${one.n}`}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
