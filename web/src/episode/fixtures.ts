import type { EpisodeEvent, Outcome, Standing } from "./types";

const verifier = {
  profile: "classic" as const,
  constants: "declared" as const,
  functions: "basic" as const,
  weight_match: 0.5,
  weight_progress: 0.2,
  weight_simplicity: 0.2,
  weight_format: 0.1,
  solved_threshold: 0.93,
  max_evaluations: 10_000,
  rtol: 1e-8,
  atol: 1e-10,
};

const place = (version: number) => ({
  episode_id: "fixture",
  version,
  position: version + 100,
  recorded_at: `2026-01-01T00:00:0${version}Z`,
});

const standing = (turns: number, match: number, outcome: Outcome | null): Standing => ({
  status: outcome ? "finished" : "running",
  outcome,
  turns,
  turns_to_solve: outcome === "solved" ? turns : null,
  best_turn: turns,
  best_match: match,
  best_total: match / 2 + 0.46,
  total_reward: turns === 1 ? match / 2 + 0.46 : 1.665,
  generalisation: null,
  parse_failures: 0,
  policy_failures: 0,
  policy_failure: null,
});

function turn(number: number, first: number, match: number): EpisodeEvent[] {
  return [
    {
      ...place(first),
      type: "HypothesisSubmitted",
      payload: {
        type: "HypothesisSubmitted",
        turn: number,
        equation: "dx/dt = -k*x",
        params: { k: 1 },
        rationale: "",
        raw_completion: null,
        discovery: null,
        provenance: {
          policy: "search",
          model: null,
          sampling: {},
          latency_s: null,
          prompt_tokens: null,
          completion_tokens: null,
          prompt_sha256: null,
          prompt_version: null,
        },
        parse: {
          rejection: null,
          canonical: "dx/dt = -k*x",
          latex: "\\frac{dx}{dt} = -k x",
          terms: [{ target: "dx/dt", source: "k*x", latex: "k x", negative: true }],
          operators: 2,
          units: "ok",
          units_message: null,
          param_units: {},
        },
      },
    },
    {
      ...place(first + 1),
      type: "SimulationRun",
      payload: {
        type: "SimulationRun",
        turn: number,
        simulation: {
          outcome: "ok",
          message: "",
          t_reached: 1,
          evaluations: 9,
          fitted: {},
          fit_evaluations: 0,
          fit: null,
          starts: [],
          errors: {},
          undetermined: [],
          predictions: [{ states: [[1], [0.4]] }],
        },
      },
    },
    {
      ...place(first + 2),
      type: "RewardComputed",
      standing: standing(number, match, null),
      payload: {
        type: "RewardComputed",
        turn: number,
        reward: { match, progress: 1, simplicity: 0.8, format: 1, total: match / 2 + 0.46 },
        emitted: match / 2 + 0.46,
        fits: { x: { r2: match, nrmse: 0.1, valid_time: 1 } },
        generalisation: null,
        mismatch: "The prediction follows the data.",
        findings: null,
        solved: match > 0.93,
        match_dense: Math.sqrt(match),
        correctness: null,
        passed: false,
      },
    },
  ];
}

/** Two turns on a decaying quantity, the second of which solves it. */
export const oneEpisode: EpisodeEvent[] = [
  {
    ...place(1),
    type: "EpisodeStarted",
    payload: {
      task: {
        task_id: "t",
        system_id: "csv",
        title: "Decay",
        tier: null,
        seed: null,
        variables: [
          {
            name: "x",
            unit: "m",
            symbol: "x",
            description: "",
            rate_of: null,
            estimated: false,
            label: null,
          },
        ],
        time_unit: "s",
        shown: [{ t: [0, 1], states: [[1], [0.37]], inputs: [], sigma: [], missing: [] }],
        inputs: [],
        measured: true,
        noises: [],
        noise: 0,
        hint: "A decaying quantity.",
      },
      targets: [{ variable: "x", order: 1, driven: "x", left: "dx/dt" }],
      carried_to: "held-back rows",
      config: { verifier, max_turns: 8, reward_mode: "total" },
      policy: "search",
      door: "interactive",
      engine_version: "0.1.0",
      fingerprint: {},
      forked_from: null,
      comparison_id: null,
      labels: {},
    },
  },
  ...turn(1, 2, 0.5),
  ...turn(2, 5, 0.99),
  {
    ...place(8),
    type: "EpisodeFinished",
    standing: standing(2, 0.99, "solved"),
    payload: {
      type: "EpisodeFinished",
      reason: "solved",
      turns: 2,
      best_match: 0.99,
      best_total: 0.955,
    },
  },
];
