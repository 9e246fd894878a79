import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { api } from "../../api/client";
import { Failure } from "../../shared/parts";
import { MOST_NOTE, NOTE, tagIn, tagsOf } from "./tags";

type Changes = Record<string, string | null>;

/** Puts the same labels on several episodes, or takes them off; one after another, so that a refusal says of which. */
export function useLabel(ids: readonly string[]) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (changes: Changes) => {
      for (const id of ids) await api.label(id, changes);
    },
    onSettled: () => {
      for (const id of ids) client.invalidateQueries({ queryKey: ["labels", id] });
      return client.invalidateQueries({ queryKey: ["episodes"] });
    },
  });
}

/** The tags and the note of one episode, to read and to write. */
export default function Labels({ id }: { id: string }) {
  const episode = useQuery({
    queryKey: ["labels", id],
    queryFn: () => api.episode(id),
    retry: false,
  });
  const change = useLabel([id]);
  const [draft, setDraft] = useState<string | null>(null);
  if (!episode.data) return null;
  const { labels, fixed_labels: fixed } = episode.data;
  const note = labels[NOTE] ?? "";
  const own = tagsOf(labels, fixed);
  const given = tagsOf(labels, [...Object.keys(labels).filter((name) => !fixed.includes(name))]);
  return (
    <section className="panel mt-4 grid gap-3" aria-label="Tags and note">
      <h2>Tags and note</h2>
      <ul className="flex flex-wrap gap-2">
        {given.map((tag) => (
          <li key={tag} className="chip text-muted" title="given when the episode began">
            {tag}
          </li>
        ))}
        {own.map((tag) => (
          <li key={tag}>
            <button
              type="button"
              className="chip"
              disabled={change.isPending}
              onClick={() => change.mutate({ [tag.split("=")[0] ?? tag]: null })}
            >
              {tag}
              <span aria-hidden="true"> ×</span>
              <span className="sr-only">, take away</span>
            </button>
          </li>
        ))}
        {own.length + given.length === 0 && <li className="text-muted">No tags.</li>}
      </ul>
      <TagForm busy={change.isPending} onTag={(changes) => change.mutate(changes)} />
      <form
        className="grid gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          if (draft !== null)
            change.mutate({ [NOTE]: draft.trim() || null }, { onSuccess: () => setDraft(null) });
        }}
      >
        <label>
          Note
          <textarea
            className="field"
            rows={2}
            maxLength={MOST_NOTE}
            value={draft ?? note}
            onChange={(event) => setDraft(event.target.value)}
          />
        </label>
        {draft !== null && draft !== note && (
          <span className="flex gap-2">
            <button type="submit" className="button" disabled={change.isPending}>
              Save the note
            </button>
            <button type="button" className="button" onClick={() => setDraft(null)}>
              Undo
            </button>
          </span>
        )}
      </form>
      {change.error && <Failure error={change.error} />}
    </section>
  );
}

interface TagProps {
  busy: boolean;
  known?: string[];
  onTag: (changes: Changes) => void;
}

/** A field for one more tag. */
export function TagForm({ busy, known = [], onTag }: TagProps) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  const list = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const tag = tagIn(text);
    if ("wrong" in tag) return setWrong(tag.wrong);
    setWrong("");
    setText("");
    onTag({ [tag.name]: tag.value });
  };
  return (
    <form className="flex flex-wrap items-end gap-2" onSubmit={submit}>
      <label>
        Add a tag
        <input
          className="field"
          list={list}
          placeholder="good, or fig=2"
          aria-invalid={wrong !== ""}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <datalist id={list}>
        {known.map((tag) => (
          <option key={tag} value={tag} />
        ))}
      </datalist>
      <button type="submit" className="button" disabled={busy}>
        Add
      </button>
      {wrong !== "" && (
        <span role="alert" className="text-danger">
          {wrong}
        </span>
      )}
    </form>
  );
}
