import { useEffect } from "react";
import { recall, remember } from "./stored";

const STORED = "keys";
const CHORD_MS = 1500;

/** Single keys can be switched off altogether. */
export const keysWanted = () => recall(STORED) !== "off";

export const wantKeys = (wanted: boolean) => remember(STORED, wanted ? "on" : "off");

/** Whether a key belongs to what has the focus: fields, sliders, menus and dialogs keep their own. */
function isTaken(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, select, textarea, [contenteditable], dialog, [role=menu]") !== null
  );
}

let leader = { key: "", at: 0 };

/** Notes which key begins a chord, before any handler sees it. */
export function lead(key: string, at: number): void {
  leader = { key, at };
}

type Handlers = Record<string, (event: KeyboardEvent) => void>;

/**
 * Single keys of a screen, by `KeyboardEvent.key`. With `after`, they count only right after that key; without, only
 * where no chord has begun: `c` copies a link, `g` then `c` goes to Compare and copies nothing.
 */
export function useKeys(keys: Handlers, after = ""): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTaken(event.target) || !keysWanted()) return;
      const chord = event.timeStamp - leader.at < CHORD_MS ? leader.key : "";
      if (chord !== after) return;
      // Space and Enter press the button that has the focus.
      if (
        event.key === " " &&
        event.target instanceof Element &&
        event.target.closest("button, summary, a")
      )
        return;
      const handle = keys[event.key];
      if (!handle) return;
      event.preventDefault();
      handle(event);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}
