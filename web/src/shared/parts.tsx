import { Component, type ReactNode, useEffect, useState } from "react";
import { bundled } from "../api/bundle";
import { ApiError } from "../api/client";
import { reachOf } from "../api/reach";
import type { StreamStatus } from "../api/streams";
import { Coded } from "./Coded";

const SHAPES: Record<StreamStatus, string> = {
  Connecting: "○",
  Live: "●",
  Reconnecting: "◐",
  Disconnected: "□",
  Paused: "❚❚",
  "Your turn": "▸",
  Complete: "■",
};

/** How an episode stands, in a word and a shape. */
export function StatusPill({ status }: { status: StreamStatus }) {
  const colour = status === "Live" ? "text-ok" : status === "Disconnected" ? "text-danger" : "";
  return (
    <span role="status" className={`pill ${colour}`}>
      <span aria-hidden="true">{SHAPES[status]} </span>
      {status}
    </span>
  );
}

/** A failure told in words, with what can be done about it. */
export function Failure({ error, again }: { error: Error; again?: () => void }) {
  return (
    <div className="notice" role="alert">
      <p>
        {error instanceof ApiError && <strong>{error.title}. </strong>}
        <Coded text={error.message} />
      </p>
      {again && (
        <button type="button" className="button mt-2" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** Names what is not there and offers the list. */
export function NotFound({ what }: { what: string }) {
  return (
    <div className="notice" role="alert">
      <p>{what} is not in this log.</p>
      <p>
        <a href={bundled ? "#/episodes" : "/episodes"}>See all episodes</a>
      </p>
    </div>
  );
}

interface PartProps {
  name: string;
  children: ReactNode;
}

/** Whether a piece of the page did not arrive: it is not asked for again before the page is. */
const isUnfetched = ({ message }: Error) => /import(ed|ing)? .*module|module script/i.test(message);

/** A part of a screen that may fail alone: the others keep working. */
export class Part extends Component<PartProps, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <div className="notice" role="alert">
        <p>
          {this.props.name} could not be shown: {error.message}
        </p>
        <button
          type="button"
          className="button mt-2"
          onClick={() => {
            // Without a server a page that is loaded anew would be gone.
            if (isUnfetched(error) && reachOf().reachable) location.reload();
            else this.setState({ error: null });
          }}
        >
          Try again
        </button>
      </div>
    );
  }
}

/** Outlines of the final size, shown only if loading takes longer than a moment. */
export function Loading({ what, height = 240 }: { what: string; height?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div
      aria-busy="true"
      role="status"
      className={late ? "panel" : undefined}
      style={{ minHeight: height }}
    >
      {late && <span className="text-muted">Loading {what}</span>}
    </div>
  );
}
