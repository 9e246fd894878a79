import { useEffect } from "react";

const NAME = "PhysiX-Live";

/** Names the screen, and what is on it, in the window's title. */
export function useTitle(text: string): void {
  useEffect(() => {
    document.title = `${text} · ${NAME}`;
  }, [text]);
}
