import { type RefObject, useEffect, useState, useSyncExternalStore } from "react";

/** The width of an element in CSS pixels, 0 until it has one. */
export function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

const rootSize = () =>
  (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16;

function onResize(changed: () => void): () => void {
  window.addEventListener("resize", changed);
  return () => window.removeEventListener("resize", changed);
}

/** How much larger than usual the reader has text: 1, or 2 at 200 %. Margins of charts grow with it. */
export function useTextScale(): number {
  return useSyncExternalStore(onResize, rootSize);
}
