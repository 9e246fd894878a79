import { useEffect } from "react";

const STORED = "keys";

/** Single keys can be switched off altogether; storage may be denied in an embed. */
export function keysWanted(): boolean {
  try {
    return localStorage.getItem(STORED) !== "off";
  } catch {
    return true;
  }
}

export function wantKeys(wanted: boolean): void {
  try {
    localStorage.setItem(STORED, wanted ? "on" : "off");
  } catch {
    // The choice then holds for nothing; there is nowhere to keep it.
  }
}

/** Whether a key belongs to what has the focus: fields, sliders, menus and dialogs keep their own. */
function isTaken(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, select, textarea, [contenteditable], dialog, [role=menu]") !== null
  );
}

/** Single keys of a screen, by `KeyboardEvent.key`. A handler that returns false leaves the key alone. */
export function useKeys(keys: Record<string, (event: KeyboardEvent) => boolean | undefined>): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTaken(event.target) || !keysWanted()) return;
      // Space and Enter press the button that has the focus.
      if (
        event.key === " " &&
        event.target instanceof Element &&
        event.target.closest("button, summary, a")
      )
        return;
      const handle = keys[event.key];
      if (handle && handle(event) !== false) event.preventDefault();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  });
}
