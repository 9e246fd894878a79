import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, type Drive } from "../api/client";

const ACTIONS: { action: Drive; label: string; whileDriven: boolean | null }[] = [
  { action: "run", label: "Run to the end", whileDriven: false },
  { action: "llm-step", label: "Step one turn", whileDriven: false },
  { action: "pause", label: "Pause", whileDriven: true },
  { action: "abandon", label: "Stop", whileDriven: null },
];

/** Drives a running episode: on, one turn, pause, stop. */
export function DriveControls({ id, version }: { id: string; version: number }) {
  const client = useQueryClient();
  const view = useQuery({ queryKey: ["driven", id, version], queryFn: () => api.episode(id) });
  const drive = useMutation({
    mutationFn: (action: Drive) => api.drive(id, action),
    onSettled: () => client.invalidateQueries({ queryKey: ["driven", id] }),
  });
  if (view.data === undefined || view.data.status === "finished") return null;
  const { driven } = view.data;
  return (
    <div className="flex flex-wrap items-center gap-2">
      {ACTIONS.filter(({ whileDriven }) => whileDriven === null || whileDriven === driven).map(
        ({ action, label }) => (
          <button
            key={action}
            type="button"
            className="button"
            disabled={drive.isPending}
            onClick={() => drive.mutate(action)}
          >
            {label}
          </button>
        ),
      )}
      {drive.error && (
        <p role="alert" className="text-danger">
          {drive.error.message}
        </p>
      )}
    </div>
  );
}
