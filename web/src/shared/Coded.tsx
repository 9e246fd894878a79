import { Fragment } from "react";

/** A sentence of the server; what stands between backticks is code. */
export function Coded({ text }: { text: string }) {
  const parts = text.split(/`([^`]+)`/);
  return parts.map((part, i) =>
    // The odd pieces are what the pattern caught.
    i % 2 ? <code key={i}>{part}</code> : <Fragment key={i}>{part}</Fragment>,
  );
}
