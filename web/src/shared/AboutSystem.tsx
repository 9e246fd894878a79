import type { SystemInfo } from "../episode/types";
import { Snapshot } from "../viz";
import { TIERS } from "./words";

/** What a form is about to pose: the motion in a picture, in a sentence, and what is hard about it. */
export default function AboutSystem({ system }: { system: SystemInfo | undefined }) {
  return (
    <section
      className="panel grid content-start gap-1"
      style={{ minHeight: 216, maxWidth: 420 }}
      aria-label="The motion"
    >
      {system && (
        <>
          <Snapshot system={system} />
          <h2 className="flex flex-wrap items-baseline justify-between gap-x-2">
            {system.title}
            <span className="text-xs font-normal text-muted">{TIERS[system.tier]}</span>
          </h2>
          <p>{system.description}</p>
          <p className="text-muted">{system.hard}</p>
        </>
      )}
    </section>
  );
}
