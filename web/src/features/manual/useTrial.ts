import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import type { Trial } from "../../episode/types";

const IDLE_MS = 200;

interface Wanted {
  equation: string;
  params: Record<string, number>;
}

/**
 * What the server makes of the newest text and constants. One request at a time: dragging asks for the newest as soon
 * as the last was answered, typing waits until the fingers rest. While text is being composed nothing is asked.
 */
export function useTrial(id: string, wanted: Wanted, typing: boolean, composing: boolean) {
  const [trial, setTrial] = useState<Trial | null>(null);
  const [failed, setFailed] = useState<Error | null>(null);
  const key = wanted.equation === "" ? "" : JSON.stringify(wanted);
  const newest = useRef(key);
  const busy = useRef(false);
  useEffect(() => {
    newest.current = key;
    if (key === "") {
      setTrial(null);
      return;
    }
    if (composing) return;
    const ask = async () => {
      if (busy.current) return;
      busy.current = true;
      let asked = "";
      while (asked !== newest.current && newest.current !== "") {
        asked = newest.current;
        try {
          const found = await api.trial(id, JSON.parse(asked));
          if (newest.current !== "") setTrial(found);
          setFailed(null);
        } catch (failure) {
          setFailed(failure instanceof Error ? failure : new Error(String(failure)));
          break;
        }
      }
      busy.current = false;
    };
    const timer = setTimeout(ask, typing ? IDLE_MS : 0);
    return () => clearTimeout(timer);
  }, [id, key, typing, composing]);
  useEffect(
    () => () => {
      newest.current = "";
    },
    [],
  );
  return { trial, failed };
}
