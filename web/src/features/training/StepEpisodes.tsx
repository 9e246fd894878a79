import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";

/** How many episodes the log has of a run, or of one of its steps; undefined until it is known. */
function useRecorded(run: string, step?: number, enabled = true): number | undefined {
  const { data } = useQuery({
    queryKey: ["recorded", run, step],
    queryFn: async () => {
      const at = step === undefined ? {} : { step: String(step) };
      return (await api.episodes({ run, ...at, limit: 1 })).total;
    },
    enabled,
    retry: false,
  });
  return data;
}

interface Props {
  run: string;
  step: number;
}

/** The episodes of a step, a press away; a run that came without its log says so. */
export function StepEpisodes({ run, step, named }: Props & { named?: boolean }) {
  const ofRun = useRecorded(run);
  // Where the run has none, no step has any: one question does for all rows.
  const ofStep = useRecorded(run, step, ofRun !== undefined && ofRun > 0);
  const count = ofRun === 0 ? 0 : ofStep;
  if (count === undefined) return <span aria-busy="true">…</span>;
  if (count === 0)
    return (
      <span className="text-muted">
        {named ? `The episodes of ${run} at step ${step} were not shipped` : "not shipped"}
      </span>
    );
  return (
    <Link to="/episodes" search={{ run, step: String(step) }}>
      {named ? `Episodes of ${run} at step ${step}` : count}
    </Link>
  );
}
