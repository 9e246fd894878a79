import { useEffect, useState, useSyncExternalStore } from "react";
import { ask, onReach, reachOf, waitingFor } from "../api/reach";
import { knownUpTo } from "../episode/store";

const LONG_MS = 5000;

/** The time, every half second while it matters. */
function useNow(matters: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!matters) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [matters]);
  return now;
}

/** Says that the server is gone, up to where what is shown is known, and when it is asked again. */
export function ReachBar() {
  const { reachable, nextTry } = useSyncExternalStore(onReach, reachOf);
  const now = useNow(!reachable);
  if (reachable) return null;
  const left = nextTry === null ? 0 : Math.max(0, Math.ceil((nextTry - now) / 1000));
  const known = knownUpTo();
  return (
    <div className="reach" role="alert" aria-label="Connection">
      <strong>{known === null ? "Disconnected" : `Disconnected, known up to ${known}`}</strong>
      <span>
        What is shown stays. <span aria-hidden="true">Next attempt in {left} s.</span>
      </span>
      <button type="button" className="button" onClick={() => ask()}>
        Try now
      </button>
    </div>
  );
}

/** Says for what the page has been waiting longer than a moment. */
export function Waits() {
  const [waits, setWaits] = useState(waitingFor);
  useEffect(() => onReach(() => setWaits(waitingFor())), []);
  const now = useNow(waits.length > 0);
  const long = waits.filter(({ since }) => now - since > LONG_MS);
  const [first] = long;
  if (!first) return null;
  const whats = [...new Set(long.map(({ what }) => what))].join(", ");
  return (
    <p className="waits" role="status" aria-label="Waiting">
      Waiting for {whats}{" "}
      <span aria-hidden="true">({Math.floor((now - first.since) / 1000)} s)</span>
    </p>
  );
}
