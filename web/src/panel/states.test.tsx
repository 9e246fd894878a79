import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { oneEpisode } from "../episode/fixtures";
import { emptyEpisode, reduce } from "../episode/reduce";
import type { EpisodeEvent } from "../episode/types";
import { type Following, recorded } from "../episode/useEpisode";
import { Failure, Part } from "../shared/parts";
import { Compared } from "./Compared";
import { EpisodeBody } from "./EpisodePanel";

beforeAll(() => {
  // Without a doctype the document is in quirks mode, in which no maths is set.
  Object.defineProperty(document, "compatMode", { value: "CSS1Compat", configurable: true });
  vi.stubGlobal("matchMedia", () => ({
    matches: true,
    addEventListener: () => {},
    removeEventListener: () => {},
  }));
});
afterEach(cleanup);

const fold = (events: EpisodeEvent[]) => events.reduce(reduce, emptyEpisode);

function show(following: Partial<Following>) {
  const view = () => {};
  render(
    <QueryClientProvider client={new QueryClient()}>
      <EpisodeBody
        {...recorded}
        episode={fold(oneEpisode)}
        {...following}
        id="e"
        view={{}}
        onView={view}
        law={null}
      />
    </QueryClientProvider>,
  );
}

/** The first turn's events, with one of them changed. */
function changed(type: EpisodeEvent["type"], payload: object): EpisodeEvent[] {
  return oneEpisode
    .slice(0, 4)
    .map((event) =>
      event.type === type
        ? ({ ...event, payload: { ...event.payload, ...payload } } as EpisodeEvent)
        : event,
    );
}

describe("an episode's states", () => {
  it("waiting for the first turn counts the seconds", () => {
    const connection = { status: "Live" as const, retry: () => {} };
    show({ episode: fold(oneEpisode.slice(0, 1)), driven: true, connection });
    expect(screen.getByText(/Waiting for the first hypothesis/)).toBeTruthy();
  });

  it("paused says so, and after which turn", () => {
    const connection = { status: "Paused" as const, retry: () => {} };
    show({ episode: fold(oneEpisode.slice(0, 4)), driven: false, connection });
    expect(screen.getByRole("region", { name: "Verdict" }).textContent).toContain(
      "Paused after 1 turn",
    );
  });

  it("a record that breaks off says so and waits for nothing", () => {
    show({ episode: fold(oneEpisode.slice(0, 4)) });
    expect(screen.getByText(/The record ends here/)).toBeTruthy();
  });

  it("complete names the outcome and the newest turn", () => {
    show({});
    expect(screen.getByText("Solved")).toBeTruthy();
    expect(screen.getByRole("button", { name: "Turn 2: match 0.99" })).toBeTruthy();
  });

  it("a policy that writes is shown as text, never as markup", () => {
    const text = "<img src=x onerror=alert(1)>";
    show({
      episode: fold(oneEpisode.slice(0, 1)),
      writing: { episode_id: "e", turn: 1, text, tokens: 3, tokens_per_s: 40 },
    });
    expect(screen.getByText(text).tagName).toBe("PRE");
    expect(document.querySelector("img")).toBeNull();
  });

  it("a policy that failed says why and how often, and earlier turns stay", () => {
    const [first] = oneEpisode;
    if (!first) throw new Error("the fixture begins");
    const failed = {
      ...first,
      version: 5,
      type: "PolicyFailed",
      payload: {
        type: "PolicyFailed",
        turn: 2,
        policy: "ollama:x",
        reason: "the server closed the connection",
        attempt: 2,
        attempts_allowed: 3,
      },
    } as EpisodeEvent;
    show({ episode: fold([...oneEpisode.slice(0, 4), failed]) });
    expect(screen.getByText(/the server closed the connection/)).toBeTruthy();
    expect(screen.getByText(/attempt 2 of 3/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Turn 1: match 0.50" })).toBeTruthy();
  });

  it("what did not parse is underlined at its column, with no stale prediction", () => {
    const rejection = { code: "caret", message: "write ** for a power", column: 9, found: "^" };
    const events = changed("HypothesisSubmitted", {
      equation: "dx/dt = ^",
      parse: {
        rejection,
        canonical: null,
        latex: null,
        terms: [],
        operators: 0,
        units: null,
        units_message: null,
        param_units: {},
      },
    }).map((event) =>
      event.type === "SimulationRun"
        ? ({
            ...event,
            payload: {
              ...event.payload,
              simulation: {
                ...event.payload.simulation,
                outcome: "not_parsed",
                predictions: [],
              },
            },
          } as EpisodeEvent)
        : event,
    );
    show({ episode: fold(events) });
    expect(document.querySelector("u")?.textContent).toBe("^");
    expect(screen.getByRole("button", { name: "Turn 1: parse" })).toBeTruthy();
  });

  it("a prediction that ends early is marked with its time and its reason", () => {
    const events = changed("SimulationRun", {
      simulation: {
        outcome: "diverged",
        t_reached: 0.47,
        evaluations: 90,
        message: "",
        fitted: {},
        predictions: [{ states: [[1, 0]] }],
      },
    });
    vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(600);
    const observe = vi.fn(function (this: { tell: ResizeObserverCallback }) {
      this.tell([{ contentRect: { width: 600 } } as ResizeObserverEntry], this as never);
    });
    vi.stubGlobal(
      "ResizeObserver",
      class {
        observe = observe;
        disconnect() {}
        constructor(public tell: ResizeObserverCallback) {}
      },
    );
    show({ episode: fold(events) });
    expect(screen.getByText(/× diverged at 0.47/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Turn 1: diverged" })).toBeTruthy();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
});

const PATIENT = { timeout: 20_000 };

describe("a comparison's states", () => {
  const members = ["nano", "nano-untrained"].map((policy, i) => ({
    id: `${i}`,
    ...recorded,
    recovered: null,
    episode: fold(
      oneEpisode
        .slice(0, i ? 4 : 8)
        .map((event) =>
          event.type === "EpisodeStarted"
            ? { ...event, payload: { ...event.payload, policy } }
            : event,
        ),
    ),
  }));

  const compare = (shown: typeof members, layout?: "split" | "overlay") =>
    render(
      <QueryClientProvider client={new QueryClient()}>
        <Compared members={shown} view={layout ? { layout } : {}} onView={() => {}} />
      </QueryClientProvider>,
    );

  it("holds the last turn of who finished earlier and gives the difference", () => {
    compare(members, "split");
    expect(screen.getByRole("row", { name: /Trained nano Solved 2 – 0.990/ })).toBeTruthy();
    expect(screen.getByRole("row", { name: /Untrained nano-untrained Playing/ })).toBeTruthy();
    expect(screen.getByRole("row", { name: /Difference/ }).textContent).toContain("+0.490");
  });

  it("of more than two shows each in small, with its seed and its law", async () => {
    // Fetched here, so that no wait hangs on how busy the machine is.
    await import("./Multiples");
    const [first, second] = members;
    if (!first || !second) throw new Error("two members");
    const eight = Array.from({ length: 8 }, (_, i) => ({
      ...(i % 2 ? second : first),
      id: `${i}`,
    }));
    compare(eight.slice(0, 6));
    expect(await screen.findAllByRole("region", { name: /^Episode of / }, PATIENT)).toHaveLength(6);
    const pane = screen.getByRole("region", { name: "Episode of Trained 2" });
    expect(pane.textContent).toContain("no seed");
    expect(pane.textContent).toContain("Solved");
    expect(screen.queryByText(/the first 6 are drawn/)).toBeNull();
    cleanup();
    compare(eight);
    expect(await screen.findByText(/the first 6 are drawn/, {}, PATIENT)).toBeTruthy();
    expect(screen.getAllByRole("region", { name: /^Episode of / })).toHaveLength(6);
    expect(
      screen.getByRole("table", { name: "Standings" }).querySelectorAll("tbody tr").length,
    ).toBe(8);
  }, 40_000);

  it("of different tasks is not overlaid, and says so", () => {
    const [first, second] = members;
    const started = second?.episode.started;
    if (!first || !started) throw new Error("two members");
    const other = {
      ...second,
      episode: {
        ...second.episode,
        started: {
          ...started,
          payload: { ...started.payload, task: { ...started.payload.task, task_id: "another" } },
        },
      },
    };
    compare([first, other], "overlay");
    expect(screen.getByText(/different tasks/)).toBeTruthy();
    expect(screen.queryByRole("region", { name: "Overlaid" })).toBeNull();
  });
});

describe("parts", () => {
  it("that break leave the others alone", () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
    function Broken(): never {
      throw new Error("no data");
    }
    render(
      <>
        <Part name="The chart">
          <Broken />
        </Part>
        <p>the rest</p>
      </>,
    );
    expect(screen.getByRole("alert").textContent).toContain(
      "The chart could not be shown: no data",
    );
    expect(screen.getByText("the rest")).toBeTruthy();
    quiet.mockRestore();
  });

  it("that failed can be tried again", () => {
    const again = vi.fn();
    render(<Failure error={new Error("the log is closed")} again={again} />);
    screen.getByRole("button", { name: "Try again" }).click();
    expect(again).toHaveBeenCalledOnce();
  });
});
