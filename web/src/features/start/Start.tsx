import { Link } from "@tanstack/react-router";
import { DemoCards } from "./DemoCards";
import { Gallery } from "./Gallery";
import { Retold } from "./Retold";

const DOORS = [
  {
    to: "/run",
    search: { system: "damped_pendulum", pace: "slow" },
    name: "Watch",
    says: "Choose a motion and a policy, and see it guess, fail and find the law, turn by turn.",
  },
  {
    to: "/manual",
    search: {},
    name: "Try it yourself",
    says: "Write the equation yourself. Sliders, hints of the verifier, and the same verdict as everyone.",
  },
  {
    to: "/data",
    search: {},
    name: "Bring your data",
    says: "A file of measurements, and the laws that explain it, with error bars and rivals.",
  },
] as const;

/** The first minute: what this is, seen in twenty seconds, and three ways in. */
export default function Start() {
  return (
    <div className="grid gap-6">
      <h1 className="start">
        Watch an agent find the law behind a motion, and check every step of it.
      </h1>
      <Retold />
      <nav aria-label="Ways in" className="grid gap-3 md:grid-cols-3">
        {DOORS.map((door) => (
          <Link key={door.name} to={door.to} search={door.search} className="door">
            <span className="text-lg font-semibold">
              {door.name} <span aria-hidden="true">→</span>
            </span>
            <span>{door.says}</span>
          </Link>
        ))}
      </nav>
      <Gallery />
      <DemoCards />
    </div>
  );
}
