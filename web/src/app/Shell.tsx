import { Link, Outlet, useNavigate, useRouterState, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState } from "react";
import { bundled } from "../api/bundle";
import { keysWanted, lead, useKeys, wantKeys } from "../shared/keys";
import { Part } from "../shared/parts";
import { ReachBar, Waits } from "../shared/Reachability";
import { applyTheme, storedTheme, storeTheme, THEMES } from "./theme";

const ALL_SCREENS = [
  { to: "/run", name: "Run", key: "r" },
  { to: "/manual", name: "Manual", key: "m" },
  { to: "/data", name: "Data", key: "d", also: "/bench" },
  { to: "/compare", name: "Compare", key: "c" },
  { to: "/board", name: "Board", key: "b", also: "/many" },
  { to: "/episodes", name: "Episodes", key: "e" },
  { to: "/training", name: "Training", key: "t" },
] as const;
type ScreenPath = (typeof ALL_SCREENS)[number]["to"];
// Not needed for the first paint.
const RunningNow = lazy(() => import("../features/running/RunningNow"));

/** Without a server there is nothing to run. */
const SCREENS = ALL_SCREENS.filter(({ to }) => !bundled || to === "/episodes");

const KEYS = [
  ["Space", "Play or pause"],
  [", .", "Step time; with Shift ten times as far"],
  ["[ ]", "Previous, next turn"],
  ["Home, End", "First, newest turn"],
  ["l", "Follow live"],
  ["1 2 3", "Against time, phase portrait, residuals"],
  ["o", "Overlaid or side by side"],
  ["c", "Copy the link to this view"],
  ["e", "Export"],
  ["g, then r m d c b e t", "Go to Run, Manual, Data, Compare, Board, Episodes, Training"],
  ["Ctrl or Cmd + Enter", "Submit (Manual)"],
  ["?", "This list"],
  ["Esc", "Close, or leave the field"],
] as const;

export function Shell() {
  const search: { embed?: 1; theme?: string } = useSearch({ strict: false });
  const wanted = THEMES.find((theme) => theme === search.theme);
  const [theme, setTheme] = useState(storedTheme);
  useEffect(() => applyTheme(wanted ?? theme), [wanted, theme]);
  useScreenKeys();
  useArrival();
  const help = useRef<HTMLDialogElement>(null);
  useKeys({ "?": () => help.current?.showModal() });
  const embedded = search.embed === 1;
  return (
    <>
      <a href="#main" className="absolute left-2 -top-16 z-10 bg-raised px-3 py-2 focus:top-2">
        Skip to content
      </a>
      {!embedded && (
        <header className="border-b border-line bg-surface">
          <div className="mx-auto flex max-w-[1360px] flex-wrap items-center gap-x-3 gap-y-1 px-4 py-1 sm:gap-x-6">
            <Link to="/" className="font-semibold text-ink no-underline">
              PhysiX-Live
            </Link>
            <nav
              aria-label="Screens"
              className="order-last flex w-full flex-wrap gap-x-4 sm:order-none sm:w-auto"
            >
              {SCREENS.map((screen) => (
                <ToScreen key={screen.to} screen={screen} />
              ))}
            </nav>
            <div className="ml-auto flex flex-wrap items-center gap-2">
              {!bundled && (
                <Suspense fallback={<span className="button invisible">Running now (0)</span>}>
                  <RunningNow />
                </Suspense>
              )}
              <button
                type="button"
                className="button"
                aria-label="Keys"
                onClick={() => help.current?.showModal()}
              >
                ?
              </button>
              <label className="flex items-center gap-2 text-muted">
                <span className="sr-only sm:not-sr-only">Theme</span>
                <select
                  className="field"
                  value={theme}
                  onChange={(change) => {
                    const chosen = THEMES.find((entry) => entry === change.target.value);
                    setTheme(chosen ?? "system");
                    storeTheme(chosen ?? "system");
                  }}
                >
                  {THEMES.map((entry) => (
                    <option key={entry}>{entry}</option>
                  ))}
                </select>
              </label>
            </div>
          </div>
        </header>
      )}
      <main id="main" tabIndex={-1} className="mx-auto max-w-[1360px] p-3">
        <Part name="This screen">
          <Outlet />
        </Part>
      </main>
      <KeyList help={help} />
      <Waits />
      <ReachBar />
    </>
  );
}

const HERE = "font-semibold underline underline-offset-4";

/** A link to a screen, marked where it or one that belongs to it is shown. */
function ToScreen({ screen }: { screen: (typeof ALL_SCREENS)[number] }) {
  const { to, name } = screen;
  const also = "also" in screen ? screen.also : undefined;
  const within = useRouterState({
    select: (state) => also !== undefined && state.location.pathname.startsWith(also),
  });
  return (
    <Link
      to={to}
      className={`py-1 text-ink ${within ? HERE : ""}`}
      activeProps={{ className: HERE }}
      {...(within && { "aria-current": "true" })}
    >
      {name}
    </Link>
  );
}

/** Names the screen in the window's title, and takes the focus to its heading when the address leads to another. */
function useArrival(): void {
  // Where the page has arrived, not where it is going: until then the old screen stands.
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname ?? "" });
  const before = useRef("");
  useLayoutEffect(() => {
    const screen = ALL_SCREENS.find(({ to }) => path.startsWith(to));
    document.title = screen ? `${screen.name} · PhysiX-Live` : "PhysiX-Live";
  }, [path]);
  useEffect(() => {
    const first = before.current === "";
    if (before.current === path) return;
    before.current = path;
    if (first) return;
    const heading = document.querySelector<HTMLElement>("main h1");
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [path]);
}

/** `g`, then the letter of a screen. */
function useScreenKeys(): void {
  const go = useNavigate();
  useKeys({ g: (event) => lead("g", event.timeStamp) });
  const to = (screen: ScreenPath) => () => {
    lead("", 0);
    go({ to: screen });
  };
  useKeys(Object.fromEntries(SCREENS.map((screen) => [screen.key, to(screen.to)])), "g");
}

function KeyList({ help }: { help: React.RefObject<HTMLDialogElement | null> }) {
  const [on, setOn] = useState(keysWanted);
  return (
    <dialog ref={help} className="dialog" aria-labelledby="keys">
      <h2 id="keys">Keys</h2>
      <dl className="mt-2 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        {KEYS.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label className="mt-4 flex items-center gap-2">
        <input
          type="checkbox"
          checked={on}
          onChange={(e) => {
            setOn(e.target.checked);
            wantKeys(e.target.checked);
          }}
        />
        Single keys do something
      </label>
      <form method="dialog" className="mt-4">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </dialog>
  );
}
