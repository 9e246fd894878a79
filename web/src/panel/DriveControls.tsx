import { useMutation } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { onReach, reachOf } from "../api/reach";

interface Props {
  /** Whether a policy plays it on the server; null until that was said. */
  driven: boolean | null;
  /** What is driven, in words: "policy" or "policies". */
  who: "policy" | "policies";
  onDrive: (action: "run" | "pause" | "abandon") => Promise<unknown>;
  /** One turn and no more; a comparison has no such thing. */
  onStep?: () => Promise<unknown>;
}

/** Pause or go on, one turn, stop: always in this place and of one size, usable or not. */
export function DriveControls({ driven, who, onDrive, onStep }: Props) {
  const act = useMutation({ mutationFn: (action: () => Promise<unknown>) => action() });
  const playing = driven !== false;
  return (
    <fieldset className="flex flex-wrap items-center gap-2" aria-label={`The ${who}`}>
      <button
        type="button"
        className="button min-w-44"
        disabled={driven === null || act.isPending}
        onClick={() => act.mutate(() => onDrive(playing ? "pause" : "run"))}
      >
        {playing ? `Pause the ${who}` : "Run to the end"}
      </button>
      {onStep && (
        <button
          type="button"
          className="button"
          disabled={playing || act.isPending}
          onClick={() => act.mutate(onStep)}
        >
          Step one turn
        </button>
      )}
      <button
        type="button"
        className="button"
        disabled={act.isPending}
        onClick={() => act.mutate(() => onDrive("abandon"))}
      >
        Stop
      </button>
      {act.error && (
        <p role="alert" className="text-danger">
          {act.error.message}
        </p>
      )}
    </fieldset>
  );
}

/** Once the server has been away and is back: whether the run is still played, and the way to go on. */
export function Returned({ driven, who, onDrive }: Omit<Props, "onStep">) {
  const { returned } = useSyncExternalStore(onReach, reachOf);
  const [before, setBefore] = useState(returned);
  const act = useMutation({
    mutationFn: () => onDrive("run"),
    onSuccess: () => setBefore(returned),
  });
  // What plays on needs no answer: the word stands for a while.
  useEffect(() => {
    if (returned === before || driven !== true) return;
    const timer = setTimeout(() => setBefore(returned), 8000);
    return () => clearTimeout(timer);
  }, [returned, before, driven]);
  if (returned === before || driven === null) return null;
  return (
    <p className="notice flex flex-wrap items-center gap-3" role="status">
      {driven
        ? `The server is back, and the ${who} played on.`
        : `The server is back. Nothing plays this any more: it stopped with the server.`}
      {!driven && (
        <button
          type="button"
          className="button"
          disabled={act.isPending}
          onClick={() => act.mutate()}
        >
          Go on
        </button>
      )}
      {act.error && <span className="text-danger">{act.error.message}</span>}
    </p>
  );
}
