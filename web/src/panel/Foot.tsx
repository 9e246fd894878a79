import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { bundled } from "../api/bundle";
import type { Shown } from "./Said";
import { Correctness, TrueLaw, useTruth } from "./TrueLaw";

/** What stands below one of several: how its law compares with the true one, its task and seed, and the whole of it. */
export function Foot(shown: Shown) {
  return (
    <div className="grid min-w-0 content-start gap-1 text-xs">
      <Truth {...shown} />
      <Origin {...shown} />
    </div>
  );
}

/** Whether the law that is shown is the true one; told by the server, once the episode has ended. */
function Truth({ member, turn }: Shown) {
  const [open, setOpen] = useState(false);
  const asked = member.recovered === undefined && !bundled && member.episode.outcome !== null;
  const truth = useTruth(member.id, turn?.turn ?? 1, asked && turn !== null);
  if (!truth || !turn) return null;
  return (
    <>
      {truth.correctness && turn.parse.rejection === null && (
        <div className="text-sm">
          <Correctness {...truth.correctness} />
        </div>
      )}
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary className="py-1 text-muted">The true law beside this one</summary>
        {open && <TrueLaw id={member.id} turn={turn.turn} of={member.label} noSentence />}
      </details>
    </>
  );
}

/** The task and seed of a pane, and where the whole of it is. */
function Origin({ member }: Shown) {
  const task = member.episode.started?.payload.task;
  if (!task) return null;
  return (
    <p className="flex flex-wrap gap-x-3 text-muted">
      <span>
        {task.system_id}, {task.seed === null ? "no seed" : `seed ${task.seed}`}
      </span>
      {member.recovered === undefined && (
        <>
          <Link to="/run/$episodeId" params={{ episodeId: member.id }}>
            Episode<span className="sr-only"> of {member.label}</span>
          </Link>
          {!bundled && (
            <Link to="/episodes/$episodeId/transcript" params={{ episodeId: member.id }}>
              Transcript<span className="sr-only"> of {member.label}</span>
            </Link>
          )}
        </>
      )}
    </p>
  );
}
