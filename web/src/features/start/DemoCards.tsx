import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";

/** The recorded comparisons that ship with the program, as cards. */
export function DemoCards() {
  const demos = useQuery({ queryKey: ["demos"], queryFn: api.demos });
  if (!demos.data?.length) return null;
  return (
    <section aria-label="Demos" className="grid gap-3">
      <h2>Recorded comparisons</h2>
      <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-3">
        {demos.data.map((demo) => (
          <li key={demo.id} className="panel grid content-start gap-1">
            <Link to="/demos/$demoId" params={{ demoId: demo.id }} className="font-semibold">
              {demo.title}
            </Link>
            <p>{demo.description}</p>
            <p className="text-xs text-muted">
              {demo.policies.join(" against ")}. {demo.honest_note}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
