import { useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, exportAddress } from "../api/client";
import type { Target, Task, TurnView } from "../episode/types";
import { useKeys } from "../shared/keys";
import { Menu } from "../shared/Menu";
import { save } from "../viz";
import { toCsv, toPython } from "./exports";

interface Props {
  id: string;
  task: Task;
  targets: readonly Target[];
  turn: TurnView | null;
  finished: boolean;
  forkable: boolean;
}

/** Links, copies and files of what is on the screen, and forks of it. */
export function Share({ id, task, targets, turn, finished, forkable }: Props) {
  const [said, setSaid] = useState("");
  const copy = async (what: string, text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(`${what} copied.`);
    } catch {
      setSaid(`${what} could not be copied: the browser gives no access to the clipboard.`);
    }
  };
  const copyLink = () => copy("Link", window.location.href);
  useKeys({ c: copyLink });
  const fork = useMutation({ mutationFn: () => api.fork(id, turn?.turn ?? 0) });
  return (
    <div className="flex flex-wrap items-center gap-2">
      <button type="button" className="button" onClick={copyLink}>
        Copy link
      </button>
      {turn && (
        <Menu label="Export" name="Copies and files" edge="left" opensWith="e">
          {() => (
            <>
              <button type="button" onClick={() => copy("LaTeX", turn.parse.latex ?? "")}>
                Copy equation as LaTeX
              </button>
              <button type="button" onClick={() => copy("Source", turn.equation)}>
                Copy equation as text
              </button>
              {forkable && turn.parse.canonical !== null && (
                <button
                  type="button"
                  onClick={() =>
                    api.simplify(turn.parse.canonical ?? "").then(
                      ({ outcome, equation }) =>
                        copy(
                          outcome === "simplified" ? "Simplified equation" : "Equation",
                          equation,
                        ),
                      (error: Error) => setSaid(error.message),
                    )
                  }
                >
                  Copy simplified equation
                </button>
              )}
              {turn.parse.canonical !== null && (
                <button type="button" onClick={() => copy("Python", toPython(task, targets, turn))}>
                  Copy Python that recomputes it
                </button>
              )}
              <button
                type="button"
                onClick={() =>
                  save(
                    `${id}-turn-${turn.turn}.csv`,
                    new Blob([toCsv(task, turn)], { type: "text/csv" }),
                  )
                }
              >
                Save data and prediction as CSV
              </button>
              {finished && forkable && (
                <a href={exportAddress([id])} download>
                  Save the episode's events as JSONL
                </a>
              )}
            </>
          )}
        </Menu>
      )}
      {forkable && turn && !fork.data && (
        <button
          type="button"
          className="button"
          disabled={fork.isPending}
          onClick={() => fork.mutate()}
        >
          Fork from turn {turn.turn}
        </button>
      )}
      {fork.data && (
        <Link
          to="/manual/$episodeId"
          params={{ episodeId: fork.data.episode_id }}
          className="button"
        >
          Go on by hand from turn {turn?.turn}
        </Link>
      )}
      {fork.error && <span className="text-danger">{fork.error.message}</span>}
      <span role="status" className="text-muted">
        {said}
      </span>
    </div>
  );
}
