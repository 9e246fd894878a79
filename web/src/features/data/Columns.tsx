import type { MeasuredColumn, Measurements } from "../../episode/types";
import { figure } from "../../viz/format";
import { atCell, type Given, KINDS, type Kind, needsOther, others, said } from "./reading";

interface Props {
  read: Measurements;
  given: Given;
  onGiven: (given: Given) => void;
}

/** The table as it was read: over each column what it is taken for, and why. */
export function Columns({ read, given, onGiven }: Props) {
  const rows = Math.max(0, ...read.columns.map((column) => column.first.length));
  const begin = read.dialect.first_data_line ?? 1;
  return (
    <section className="panel grid gap-3" aria-label="Columns">
      <div className="flex flex-wrap items-baseline justify-between gap-2">
        <h2>What each column is</h2>
        {Object.keys(given).length > 0 && (
          <button type="button" className="chip" onClick={() => onGiven({})}>
            As it was proposed
          </button>
        )}
      </div>
      <section
        className="max-h-96 overflow-auto"
        tabIndex={0}
        aria-label="First rows, with the role and the unit of every column"
      >
        <table className="text-xs">
          <thead className="sticky top-0" style={{ background: "var(--surface)" }}>
            <tr className="align-top">
              <th scope="col" className="pr-2 text-right font-normal text-muted">
                line
              </th>
              {read.columns.map((column) => (
                <th key={column.name} scope="col" className="px-2 pb-2 text-left font-normal">
                  <Head column={column} read={read} given={given} onGiven={onGiven} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: rows }, (_, i) => (
              <tr key={begin + i} className="border-t border-line">
                <td className="pr-2 text-right text-muted">{begin + i}</td>
                {read.columns.map((column) => {
                  const value = column.first[i];
                  const wrong = atCell(read.problems, column.name, begin + i);
                  const ignored = column.role.kind === "ignore";
                  return (
                    <td
                      key={column.name}
                      className={`px-2 text-right ${ignored ? "text-muted" : ""}`}
                      style={wrong && { outline: "2px solid var(--warn)", outlineOffset: -2 }}
                      title={wrong?.message}
                    >
                      {value == null ? "–" : figure(value, 5)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <p className="text-xs text-muted">The first {rows} rows, as numbers.</p>
    </section>
  );
}

function Head({ column, read, given, onGiven }: Props & { column: MeasuredColumn }) {
  const { name, label } = column;
  // What was said stands at once, before the file has been read anew by it.
  const role = { ...column.role, ...given[name] };
  const change = (next: Parameters<typeof said>[2]) => onGiven(said(given, column, next));
  const of = others(read.columns, name);
  const state = role.kind === "state";
  const hasRate = read.columns.some(({ role: one }) => one.kind === "rate" && one.of === name);
  return (
    <div className="grid w-40 gap-1">
      <span className="truncate font-semibold" title={label}>
        {label}
      </span>
      {label !== name && <span className="truncate text-muted">as {name}</span>}
      <select
        aria-label={`Role of ${label}`}
        className="field"
        value={role.kind}
        onChange={(event) => {
          const kind = KINDS.find((one) => one.kind === event.target.value)?.kind ?? "ignore";
          change({ kind, ...firstOther(kind, of) });
        }}
      >
        {KINDS.map(({ kind, title }) => (
          <option key={kind} value={kind}>
            {title}
          </option>
        ))}
      </select>

      {needsOther(role.kind) && (
        <select
          aria-label={`Of which column ${label} is the ${role.kind}`}
          className="field"
          value={role.of ?? ""}
          onChange={(event) => change({ of: event.target.value })}
        >
          {of.map((other) => (
            <option key={other.name} value={other.name}>
              {other.label}
            </option>
          ))}
        </select>
      )}
      {state && !hasRate && (
        <select
          aria-label={`Order of ${label}`}
          className="field"
          value={role.order ?? ""}
          onChange={(event) => change({ order: event.target.value === "1" ? 1 : 2 })}
        >
          <option value="" disabled>
            order
          </option>
          <option value="1">first order</option>
          <option value="2">second order</option>
        </select>
      )}
      {role.kind !== "ignore" && role.kind !== "run" && (
        <input
          aria-label={`Unit of ${label}`}
          className="field"
          placeholder="no unit"
          key={role.unit ?? column.unit ?? ""}
          defaultValue={role.unit ?? column.unit ?? ""}
          onBlur={(event) => {
            const unit = event.target.value.trim();
            if (unit !== (role.unit ?? column.unit ?? "")) change({ unit });
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter") event.currentTarget.blur();
          }}
        />
      )}
      <span className="text-muted" style={{ overflowWrap: "anywhere" }}>
        {given[name] ? "as you say" : column.why}
      </span>
    </div>
  );
}

const firstOther = (kind: Kind, of: readonly MeasuredColumn[]) =>
  needsOther(kind) && of[0] ? { of: of[0].name } : {};
