import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ApiError, api } from "../../api/client";
import type { Board } from "../../episode/types";
import { Failure, Loading } from "../../shared/parts";
import type { BoardSearch } from "../../shared/search";
import { save } from "../../viz";
import { State } from "./BoardList";
import {
  cellOf,
  columns,
  duration,
  exported,
  first,
  laidOut,
  METRICS,
  nameOfColumn,
  offered,
  shown,
} from "./cells";
import { Differences } from "./Differences";
import { Episodes } from "./Episodes";
import { PUBLISHED } from "./published";

const LOOK_MS = 3000;

interface Props {
  id: string;
  view: BoardSearch;
  onView: (view: BoardSearch) => void;
}

/** One board: what share of its tasks each policy gets right, and how sure that is. */
export default function BoardScreen({ id, view, onView }: Props) {
  const board = useQuery({
    queryKey: ["board", id, view.than],
    queryFn: () => api.board(id, view.than),
    refetchInterval: (query) => (query.state.data?.state === "running" ? LOOK_MS : false),
    placeholderData: (before) => before,
    retry: false,
  });
  if (board.error instanceof ApiError && board.error.status === 404)
    return (
      <p className="notice" role="alert">
        There is no board {id} here. <Link to="/board">See all boards</Link>
      </p>
    );
  if (board.isLoadingError) return <Failure error={board.error} again={() => board.refetch()} />;
  if (!board.data) return <Loading what="the board" height={480} />;
  const { data } = board;
  const { bySystem, laid } = laidOut(data, view.by);
  const metrics = offered(laid);
  const metric = metrics.find((name) => name === view.metric) ?? first(laid);
  return (
    <div className="grid gap-4">
      <Head board={data} />
      <Choices board={laid} metric={metric} offered={metrics} view={view} onView={onView} />
      <Table board={laid} metric={metric} view={view} onView={onView} />
      {view.of !== undefined && view.in !== undefined && (
        <Episodes
          key={`${view.of} ${view.in} ${view.at}`}
          board={data}
          policy={view.of}
          suite={view.in}
          noise={view.at ?? null}
          onClose={() => onView({ ...view, of: undefined, in: undefined, at: undefined })}
        />
      )}
      {data.plan.policies.length > 1 && (
        <Differences
          board={data}
          metric={metric}
          view={bySystem ? { ...view, suite: undefined } : view}
          onView={(next) => onView({ ...view, ...next })}
        />
      )}
      {data.plan.suites.some((suite) => suite.startsWith("odebench")) && <Published board={data} />}
    </div>
  );
}

/** What was played, how far it is, and the ways to stop it. */
function Head({ board }: { board: Board }) {
  const client = useQueryClient();
  const drive = useMutation({
    mutationFn: (action: "pause" | "cancel" | "run") => api.driveBoard(board.id, action),
    onSettled: () => client.invalidateQueries({ queryKey: ["board", board.id] }),
  });
  const { plan } = board;
  const running = board.state === "running";
  const waits = board.state === "paused" || board.state === "interrupted";
  return (
    <section className="panel grid gap-2" aria-label="The board">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{board.name || board.id}</h2>
        <span className="flex items-center gap-2">
          <State board={board} />
          {running && (
            <button type="button" className="button" onClick={() => drive.mutate("pause")}>
              Pause
            </button>
          )}
          {waits && (
            <button type="button" className="button" onClick={() => drive.mutate("run")}>
              Go on
            </button>
          )}
          {(running || waits) && (
            <button type="button" className="button" onClick={() => drive.mutate("cancel")}>
              Cancel
            </button>
          )}
        </span>
      </div>
      {board.done < board.total && (
        <progress
          className="w-full"
          style={{ accentColor: "var(--trained)" }}
          max={board.total}
          value={board.done}
          aria-label="Episodes played"
        />
      )}
      <p role="status">
        {board.done} of {board.total} episodes
        {board.eta_s !== null && running && `, about ${duration(board.eta_s)} to go`}
        {board.errors > 0 &&
          `; ${board.errors} ended because a worker broke: they count for nobody`}
      </p>
      <p className="text-xs text-muted">
        Profile {plan.profile}, at most {plan.max_turns} turns,{" "}
        {plan.seeds === 1
          ? `seed ${plan.first_seed}`
          : `seeds ${plan.first_seed} to ${plan.first_seed + plan.seeds - 1}`}
        {plan.repetitions > 1 && `, ${plan.repetitions} times each`}
        {plan.drop > 0 && `, ${Math.round(100 * plan.drop)} % of the samples left out`}. Played with{" "}
        <code>{board.command}</code>,{" "}
        {Object.entries(board.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(", ")}
        , {duration(board.played_s)}.
      </p>
      {board.note && <p className="text-xs text-muted">{board.note}</p>}
      {board.state === "interrupted" && (
        <p className="notice">
          Nothing plays this any more: the server that did was stopped. What has been played counts.
        </p>
      )}
      {drive.error && <Failure error={drive.error} />}
    </section>
  );
}

interface ChoicesProps extends Omit<Props, "id"> {
  board: Board;
  metric: string;
  offered: string[];
}

function Choices({ board, metric, offered, view, onView }: ChoicesProps) {
  const set = (key: keyof BoardSearch, value: string) =>
    onView({ ...view, [key]: value === "" ? undefined : value });
  const suites = [...new Set(board.rows.map((row) => row.suite))];
  const keep = (kind: "md" | "csv") =>
    save(
      `${board.id}-${metric}.${kind}`,
      new Blob([exported(board, metric, kind, view)], {
        type: kind === "md" ? "text/markdown" : "text/csv",
      }),
    );
  return (
    <div className="flex flex-wrap items-end gap-3">
      <label>
        <span className="text-xs text-muted">Number</span>
        <select
          className="field"
          value={metric}
          onChange={(event) => set("metric", event.target.value)}
        >
          {offered.map((name) => (
            <option key={name} value={name}>
              {METRICS[name]?.title ?? name}
            </option>
          ))}
        </select>
      </label>
      {board.systems.length > 0 && (
        <label>
          <span className="text-xs text-muted">Columns</span>
          <select
            className="field"
            value={view.by ?? ""}
            onChange={(event) => {
              const by = event.target.value === "system" ? "system" : undefined;
              // A cell or a suite of the one table is none of the other.
              onView({
                ...view,
                by,
                suite: undefined,
                of: undefined,
                in: undefined,
                at: undefined,
              });
            }}
          >
            <option value="">by suite</option>
            <option value="system">by system</option>
          </select>
        </label>
      )}
      {suites.length > 1 && (
        <label>
          <span className="text-xs text-muted">{view.by === "system" ? "System" : "Suite"}</span>
          <select
            className="field"
            value={view.suite ?? ""}
            onChange={(event) => set("suite", event.target.value)}
          >
            <option value="">all</option>
            {suites.map((suite) => (
              <option key={suite}>{suite}</option>
            ))}
          </select>
        </label>
      )}
      {board.plan.policies.length > 2 && (
        <label>
          <span className="text-xs text-muted">Policy</span>
          <select
            className="field"
            value={view.policy ?? ""}
            onChange={(event) => set("policy", event.target.value)}
          >
            <option value="">all</option>
            {board.plan.policies.map((policy) => (
              <option key={policy}>{policy}</option>
            ))}
          </select>
        </label>
      )}
      <span className="ml-auto flex gap-2">
        <button type="button" className="button" onClick={() => keep("csv")}>
          CSV
        </button>
        <button type="button" className="button" onClick={() => keep("md")}>
          Markdown
        </button>
      </span>
    </div>
  );
}

function Table({ board, metric, view, onView }: Omit<ChoicesProps, "offered">) {
  const over = columns(board, view.suite);
  const { share = false, about = "" } = METRICS[metric] ?? {};
  const all = board.rows.flatMap((row) => row.metrics[metric]?.high ?? []);
  const most = share ? 1 : Math.max(1e-9, ...all);
  const policies = board.plan.policies.filter(
    (policy) => view.policy === undefined || policy === view.policy,
  );
  if (over.length === 0) return <p>No episode has ended yet; the table fills as they do.</p>;
  return (
    <section
      className="panel overflow-x-auto"
      tabIndex={0}
      aria-label={`${METRICS[metric]?.title ?? metric} by policy and ${view.by ?? "suite"}`}
    >
      <table className="w-full text-left">
        <caption className="mb-2 text-left text-xs text-muted">
          {share ? "Share of the tasks: " : ""}
          {about}. The bar is the {share ? "share" : "mean"}, the line its 95 % interval. A press
          lists the episodes.
        </caption>
        <thead>
          <tr>
            <th scope="col" className="w-40 pr-4 font-medium">
              Policy
            </th>
            {over.map((column) => (
              <th key={nameOfColumn(column)} scope="col" className="px-2 font-medium">
                {nameOfColumn(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {policies.map((policy) => (
            <tr key={policy} className="border-t border-line align-top">
              <th scope="row" className="py-2 pr-4 font-normal">
                {policy}
              </th>
              {over.map((column) => {
                const row = cellOf(board, policy, column);
                const found = row?.metrics[metric];
                return (
                  <td key={nameOfColumn(column)} className="px-2 py-2">
                    {!row && <span className="text-muted">not yet</span>}
                    {row && (
                      <button
                        type="button"
                        className="grid w-full min-w-32 gap-1 text-left"
                        onClick={() =>
                          onView({
                            ...view,
                            of: policy,
                            in: column.suite,
                            at: column.noise ?? undefined,
                          })
                        }
                      >
                        {found?.mean != null ? (
                          <>
                            <span>
                              <strong>{shown(found.mean, share)}</strong>{" "}
                              <span className="text-xs text-muted">
                                {found.low !== null &&
                                  found.high !== null &&
                                  `${shown(found.low, share)} to ${shown(found.high, share)}`}
                              </span>
                            </span>
                            <Bar {...found} mean={found.mean} most={most} />
                          </>
                        ) : (
                          <span className="text-muted">
                            {row.withheld.includes(metric) ? "held back" : "–"}
                          </span>
                        )}
                        <span className="text-xs text-muted">
                          n = {row.n}
                          {row.not_asked > 0 && `, ${row.not_asked} cannot be asked`}
                          {row.withheld.includes(metric) && `: ${row.why_withheld}`}
                        </span>
                      </button>
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface BarProps {
  mean: number;
  low: number | null;
  high: number | null;
  most: number;
}

/** A value as a bar, its interval as a line with ends. */
function Bar({ mean, low, high, most }: BarProps) {
  const x = (value: number) => 2 + (116 * Math.min(most, Math.max(0, value))) / most;
  return (
    <svg width="120" height="12" aria-hidden="true">
      <rect x={2} y={3} width={116} height={6} fill="var(--line)" />
      <rect x={2} y={3} width={x(mean) - 2} height={6} fill="var(--match)" />
      {low !== null && high !== null && (
        <path
          d={`M${x(low)} 1v10M${x(low)} 6H${x(high)}M${x(high)} 1v10`}
          stroke="var(--ink)"
          fill="none"
        />
      )}
    </svg>
  );
}

/** What others say of ODEBench: not comparable cell by cell, so apart, with what differs. */
function Published({ board }: { board: Board }) {
  return (
    <details className="panel">
      <summary>Published numbers of others on ODEBench</summary>
      <div className="mt-2 grid gap-2">
        {board.ceiling && (
          <p className="text-muted">
            Under our evaluator the true laws themselves reach {board.ceiling.reconstructed} and{" "}
            {board.ceiling.generalised} of {board.ceiling.n}.
          </p>
        )}
        <section className="overflow-x-auto" tabIndex={0} aria-label="Published numbers">
          <table className="text-left text-xs">
            <thead>
              <tr>
                {[
                  "method",
                  "reconstruction",
                  "generalisation",
                  "symbolic",
                  "source",
                  "differs",
                ].map((name) => (
                  <th key={name} scope="col" className="px-2 font-medium">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {PUBLISHED.map((one) => (
                <tr key={one.method} className="border-t border-line align-top">
                  <th scope="row" className="px-2 py-1 font-normal">
                    {one.method}
                  </th>
                  <td className="px-2 py-1">{one.reconstruction}</td>
                  <td className="px-2 py-1">{one.generalisation}</td>
                  <td className="px-2 py-1">{one.symbolic}</td>
                  <td className="px-2 py-1" style={{ minWidth: 180 }}>
                    {one.source}
                  </td>
                  <td className="px-2 py-1" style={{ minWidth: 240 }}>
                    {one.differs}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
    </details>
  );
}
