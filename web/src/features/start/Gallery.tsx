import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";
import type { SystemInfo } from "../../episode/types";
import { TIERS } from "../../shared/words";
import { Snapshot } from "../../viz";

/** The systems with a picture each, and what is hard about them. */
export function Gallery() {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  return (
    <section aria-label="Systems" className="grid gap-3">
      <h2>The motions</h2>
      <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4" style={{ minHeight: "30rem" }}>
        {systems.data?.map((system) => (
          <li key={system.id} className="panel grid content-start gap-1">
            <Card system={system} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card({ system }: { system: SystemInfo }) {
  return (
    <>
      <Snapshot system={system} />
      <h3 className="flex flex-wrap items-baseline justify-between gap-x-2">
        {system.title}
        <span className="text-xs font-normal whitespace-nowrap text-muted">
          {TIERS[system.tier]}
        </span>
      </h3>
      <p>{system.description}</p>
      <p className="text-muted">{system.hard}</p>
      <p className="flex gap-4">
        <Link
          to="/run"
          search={{ system: system.id, pace: "slow" }}
          aria-label={`Watch: ${system.title}`}
        >
          Watch
        </Link>
        <Link
          to="/manual"
          search={{ system: system.id }}
          aria-label={`Try it yourself: ${system.title}`}
        >
          Try it yourself
        </Link>
      </p>
    </>
  );
}
