import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { bundled } from "../api/bundle";
import { api } from "../api/client";
import type { ModelPrompt, ModelText } from "../api/streams";
import type { TurnView } from "../episode/types";

/** The reply as it is being written: a model's text is shown as text, whatever it holds. */
export function Writing({ text }: { text: ModelText }) {
  return (
    <figure className="grid gap-1">
      <figcaption className="text-xs text-muted">
        Writing turn {text.turn}: {text.tokens} tokens
        {text.tokens_per_s !== null && `, ${text.tokens_per_s.toFixed(0)} a second`}
        {text.elapsed_s !== undefined && `, ${text.elapsed_s.toFixed(1)} s`}
      </figcaption>
      <pre className="max-h-48 overflow-auto whitespace-pre-wrap" tabIndex={0}>
        {text.text}
      </pre>
    </figure>
  );
}

interface CompletionProps {
  id: string;
  turn: TurnView | null;
  /** Of the turn that is being written. */
  prompt: ModelPrompt | null;
}

/** What was asked and what came back, word for word. */
export function Completion({ id, turn, prompt }: CompletionProps) {
  const [open, setOpen] = useState(false);
  const live = turn === null || prompt === null || prompt.turn > turn.turn ? prompt : null;
  const recorded = useQuery({
    queryKey: ["prompt", id, turn?.turn],
    queryFn: () => api.prompt(id, turn?.turn ?? 0),
    enabled: open && !bundled && live === null && turn?.provenance.prompt_sha256 != null,
    retry: false,
  });
  if (turn?.raw_completion == null && live === null) return null;
  const asked = live ?? recorded.data;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Prompt and raw completion</summary>
      <div className="mt-2 grid gap-2">
        {asked?.messages.map((message, i) => (
          <Verbatim
            key={`${message.role} ${i}`}
            name={`${message.role}, turn ${asked.turn}`}
            text={message.content}
          />
        ))}
        {recorded.data?.exact === false && live === null && (
          <p className="text-xs text-muted">
            Written anew from the log by this version; the model was asked in other words.
          </p>
        )}
        {live === null && turn?.raw_completion != null && (
          <Verbatim name={`completion, turn ${turn.turn}`} text={turn.raw_completion} />
        )}
      </div>
    </details>
  );
}

/** A model's text, as text. */
function Verbatim({ name, text }: { name: string; text: string }) {
  return (
    <figure>
      <figcaption className="text-xs text-muted">{name}</figcaption>
      <pre className="max-h-64 overflow-auto whitespace-pre-wrap" tabIndex={0}>
        {text}
      </pre>
    </figure>
  );
}
