import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api } from "../../api/client";
import type { EpisodeRow } from "../../episode/types";
import { Failure } from "../../shared/parts";

/** The one selected task, its noise and its rules, played again by another policy. */
export function Again({ rows }: { rows: EpisodeRow[] }) {
  const go = useNavigate();
  const row = rows.length === 1 ? rows[0] : undefined;
  const policies = useQuery({
    queryKey: ["policies"],
    queryFn: api.policies,
    enabled: row !== undefined,
  });
  const again = useMutation({
    mutationFn: async (policy: string) => {
      const begun = await api.fork(row?.episode_id ?? "", 0, policy);
      if (policy !== "you") await api.play(begun.episode_id, { policy });
      return begun.episode_id;
    },
    onSuccess: (episodeId, policy) =>
      go({
        to: policy === "you" ? "/manual/$episodeId" : "/run/$episodeId",
        params: { episodeId },
      }),
  });
  if (row === undefined) return null;
  return (
    <>
      <label className="flex items-center gap-2">
        <span className="whitespace-nowrap">Run this task again with</span>
        <select
          className="field"
          value=""
          disabled={again.isPending}
          onChange={(event) => again.mutate(event.target.value)}
        >
          <option value="" disabled>
            a policy
          </option>
          <option value="you">You</option>
          {policies.data
            ?.filter((entry) => entry.reachable)
            .map((entry) => (
              <option key={entry.name} value={entry.name}>
                {entry.title}
              </option>
            ))}
        </select>
      </label>
      {again.error && <Failure error={again.error} />}
    </>
  );
}
