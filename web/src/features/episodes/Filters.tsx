import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { api } from "../../api/client";
import type { EpisodeRow } from "../../episode/types";
import type { EpisodesSearch } from "../../shared/search";
import { OUTCOMES } from "../../shared/words";
import { NOTE, offeredLabels } from "./tags";

const PAUSE_MS = 300; // in typing, before the log is searched

interface Props {
  search: EpisodesSearch;
  onSearch: (search: EpisodesSearch) => void;
  /** What the list holds now: it may name what the server offers no longer. */
  rows: EpisodeRow[];
}

/** What the list is searched for and narrowed to, and each of these to take away. */
export function Filters({ search, onSearch, rows }: Props) {
  const systems = useQuery({ queryKey: ["systems"], queryFn: api.systems });
  const policies = useQuery({ queryKey: ["policies"], queryFn: api.policies });
  const set = (name: keyof EpisodesSearch, value: string) => {
    const meant = name === "tier" ? Number(value) : value;
    onSearch({ ...search, [name]: value === "" ? undefined : meant });
  };
  const labels = search.label ?? [];
  const setLabels = (next: string[]) =>
    onSearch({ ...search, label: next.length > 0 ? next : undefined });
  // What the log holds may be on offer no longer: tasks of files, policies of another machine.
  const names = offered(
    policies.data?.map(({ name, title }): [string, string] => [name, title]),
    rows.map((row): [string, string] => [row.policy, row.policy]),
    search.policy,
  );
  const tasks = offered(
    systems.data?.map(({ id, title }): [string, string] => [id, title]),
    rows.map((row): [string, string] => [
      row.system_id,
      row.system_id.startsWith("csv") ? "Measured data" : row.title,
    ]),
    search.system,
  );
  const choices: { name: keyof EpisodesSearch; label: string; values: [string, string][] }[] = [
    { name: "system", label: "System", values: tasks },
    { name: "policy", label: "Policy", values: names },
    { name: "outcome", label: "Outcome", values: Object.entries(OUTCOMES) },
    { name: "tier", label: "Tier", values: ["1", "2", "3"].map((tier) => [tier, tier]) },
  ];
  // Runs and steps are chosen on the screen of the run, and only taken away here.
  const chips = [
    ...[
      ...choices,
      { name: "run", label: "Run" } as const,
      { name: "step", label: "Step" } as const,
    ]
      .filter(({ name }) => search[name] !== undefined)
      .map(({ name, label }) => ({
        text: `${label}: ${search[name]}`,
        remove: () => set(name, ""),
      })),
    ...labels.map((one) => ({
      text: one === NOTE ? "With a note" : `Tag: ${one}`,
      remove: () => setLabels(labels.filter((other) => other !== one)),
    })),
  ];
  return (
    <search className="grid gap-2">
      <div className="flex flex-wrap gap-2">
        <SearchField text={search.q ?? ""} onText={(text) => set("q", text)} />
        <label>
          <span className="text-xs text-muted">Tag</span>
          <select
            className="field"
            value=""
            onChange={(e) => setLabels([...labels, e.target.value])}
          >
            <option value="">{labels.length > 0 ? "one more" : "any"}</option>
            {offeredLabels(rows)
              .filter((one) => !labels.includes(one))
              .map((one) => (
                <option key={one} value={one}>
                  {one === NOTE ? "with a note" : one}
                </option>
              ))}
          </select>
        </label>
        {choices.map(({ name, label, values }) => (
          <label key={name}>
            <span className="text-xs text-muted">{label}</span>
            <select
              className="field"
              value={search[name] ?? ""}
              onChange={(e) => set(name, e.target.value)}
            >
              <option value="">any</option>
              {values.map(([value, title]) => (
                <option key={value} value={value}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        ))}
      </div>
      {chips.length > 0 && (
        <ul className="flex flex-wrap gap-2">
          {chips.map(({ text, remove }) => (
            <li key={text}>
              <button type="button" className="chip" onClick={remove}>
                {text}
                <span aria-hidden="true"> ×</span>
                <span className="sr-only">, remove</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </search>
  );
}

/** The words that the log is searched for, once there is a pause in writing them. */
function SearchField({ text, onText }: { text: string; onText: (text: string) => void }) {
  const [draft, setDraft] = useState(text);
  const asked = useRef(text);
  const ask = useRef(onText);
  ask.current = onText;
  // Somebody cleared the filters, or went back.
  useEffect(() => {
    if (text === asked.current) return;
    asked.current = text;
    setDraft(text);
  }, [text]);
  useEffect(() => {
    if (draft === asked.current) return;
    const timer = setTimeout(() => {
      asked.current = draft;
      ask.current(draft);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [draft]);
  return (
    <label className="grow">
      <span className="text-xs text-muted">Search</span>
      <input
        className="field"
        type="search"
        placeholder="in names, equations, replies and notes"
        value={draft}
        onChange={(event) => setDraft(event.target.value)}
      />
    </label>
  );
}

/** What can be asked for: what the server offers, what the list holds, and what is asked for now. */
function offered(
  served: [string, string][] | undefined,
  listed: [string, string][],
  now: string | undefined,
): [string, string][] {
  const all = new Map<string, string>(now === undefined ? [] : [[now, now]]);
  for (const [value, title] of [...listed, ...(served ?? [])]) all.set(value, title);
  return [...all].sort((a, b) => a[1].localeCompare(b[1]));
}
