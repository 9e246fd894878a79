import { lazy, Suspense } from "react";
import type { PolicyInfo } from "../episode/types";
import { Coded } from "./Coded";

const FetchModels = lazy(() => import("./FetchModels"));

interface Props {
  label: string;
  policies: PolicyInfo[] | undefined;
  value: string | undefined;
  onChange: (name: string) => void;
}

/** All policies; of a chosen one that cannot play, why, and what would change that: a command, or fetching a model. */
export function PolicyField({ label, policies, value, onChange }: Props) {
  const chosen = policies?.find(({ name }) => name === value);
  return (
    <>
      <label>
        {label}
        <select className="field" value={value ?? ""} onChange={(e) => onChange(e.target.value)}>
          {policies?.map((entry) => (
            <option key={entry.name} value={entry.name}>
              {entry.title}
              {entry.reachable ? "" : " (not reachable)"}
            </option>
          ))}
        </select>
      </label>
      {chosen?.reachable && <p className="text-xs text-muted">{chosen.description}</p>}
      {chosen && !chosen.reachable && (
        <p className="text-warn">
          <Coded text={chosen.reason ?? ""} />{" "}
          {!chosen.reason?.includes(chosen.command ?? "") && <code>{chosen.command}</code>}
        </p>
      )}
      {chosen && !chosen.reachable && chosen.name.startsWith("local:") && (
        <Suspense>
          <FetchModels />
        </Suspense>
      )}
    </>
  );
}
