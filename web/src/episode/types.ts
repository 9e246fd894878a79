// The words of the event log as the page reads them (physix/engine/events.py, over JSON).

export interface StateVariable {
  name: string;
  unit: string | null;
  symbol: string;
  description: string;
  rate_of: string | null;
}

export interface Trajectory {
  t: number[];
  states: number[][];
}

export interface Task {
  task_id: string;
  system_id: string;
  title: string;
  tier: number | null;
  seed: number | null;
  variables: StateVariable[];
  time_unit: string | null;
  shown: Trajectory[];
  noise: number;
  hint: string;
}

export interface Rejection {
  code: string;
  message: string;
  column: number;
  found: string;
}

export interface Term {
  target: string;
  source: string;
  latex: string;
  negative: boolean;
}

export interface ParseReport {
  rejection: Rejection | null;
  canonical: string | null;
  latex: string | null;
  terms: Term[];
  operators: number;
  units: "ok" | "literals" | "inconsistent" | "undeclared" | null;
  units_message: string | null;
  param_units: Record<string, string>;
}

export type SimulationOutcome =
  | "ok"
  | "not_parsed"
  | "domain_error"
  | "overflow"
  | "division_by_zero"
  | "diverged"
  | "budget_exhausted"
  | "solver_failed";

export interface Simulation {
  outcome: SimulationOutcome;
  message: string;
  t_reached: number | null;
  evaluations: number;
  predictions: { states: number[][] }[];
}

export interface Reward {
  match: number;
  progress: number;
  simplicity: number;
  format: number;
  total: number;
}

export interface VariableFit {
  r2: number | null;
  nrmse: number | null;
  valid_time: number | null;
}

export interface Provenance {
  policy: string;
  model: string | null;
  sampling: Record<string, number>;
  latency_s: number | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  prompt_sha256: string | null;
}

export interface EpisodeConfig {
  verifier: {
    profile: "classic" | "strict";
    weight_match: number;
    weight_progress: number;
    weight_simplicity: number;
    weight_format: number;
    solved_threshold: number;
    max_evaluations: number;
    rtol: number;
    atol: number;
  };
  max_turns: number;
  reward_mode: "total" | "gain";
}

export interface TurnView {
  turn: number;
  equation: string;
  params: Record<string, number>;
  rationale: string;
  parse: ParseReport;
  simulation: Simulation;
  reward: Reward;
  emitted: number;
  fits: Record<string, VariableFit>;
  generalisation: number | null;
  mismatch: string;
  solved: boolean;
  raw_completion: string | null;
  provenance: Provenance;
  recorded_at: string;
}

export type Outcome = "solved" | "budget_exhausted" | "abandoned" | "policy_failed";

export interface ForkPoint {
  episode_id: string;
  turn: number;
}

export interface EpisodeView {
  episode_id: string;
  version: number;
  status: "running" | "finished";
  outcome: Outcome | null;
  driven: boolean;
  policy: string;
  door: string;
  system_id: string;
  seed: number | null;
  task: Task;
  config: EpisodeConfig;
  turns: TurnView[];
  best_match: number;
  best_total: number;
  truth: { equation: string | null; params: Record<string, number> } | null;
  engine_version: string;
  fingerprint: Record<string, string>;
  forked_from: ForkPoint | null;
  comparison_id: string | null;
  started_at: string;
  updated_at: string;
}

export interface EpisodeRow {
  episode_id: string;
  system_id: string;
  title: string;
  tier: number | null;
  seed: number | null;
  policy: string;
  door: string;
  status: "running" | "finished";
  outcome: Outcome | null;
  turns: number;
  max_turns: number;
  best_match: number;
  best_total: number;
  matches: number[];
  generalisation: number | null;
  started_at: string;
  updated_at: string;
}

export interface EpisodePage {
  items: EpisodeRow[];
  next_cursor: string | null;
  total: number;
}

export interface SystemInfo {
  id: string;
  title: string;
  tier: number;
  held_out: boolean;
  description: string;
  variables: StateVariable[];
  functions: string[];
}

export interface PolicyInfo {
  name: string;
  title: string;
  description: string;
  reachable: boolean;
  reason: string | null;
  command: string | null;
  is_default: boolean;
}

interface Recorded<Type extends string, Payload> {
  type: Type;
  episode_id: string;
  version: number;
  position: number;
  recorded_at: string;
  payload: Payload;
}

export type EpisodeStarted = Recorded<
  "EpisodeStarted",
  {
    task: Task;
    config: EpisodeConfig;
    policy: string;
    door: string;
    engine_version: string;
    fingerprint: Record<string, string>;
    forked_from: ForkPoint | null;
    comparison_id: string | null;
  }
>;
export type HypothesisSubmitted = Recorded<
  "HypothesisSubmitted",
  Pick<
    TurnView,
    "turn" | "equation" | "params" | "rationale" | "raw_completion" | "provenance" | "parse"
  >
>;
export type SimulationRun = Recorded<"SimulationRun", Pick<TurnView, "turn" | "simulation">>;
export type RewardComputed = Recorded<
  "RewardComputed",
  Pick<TurnView, "turn" | "reward" | "emitted" | "fits" | "generalisation" | "mismatch" | "solved">
>;
export type PolicyFailed = Recorded<
  "PolicyFailed",
  { turn: number; policy: string; reason: string; attempt: number; attempts_allowed: number }
>;
export type EpisodeFinished = Recorded<
  "EpisodeFinished",
  { reason: Outcome; turns: number; best_match: number; best_total: number }
>;

export type EpisodeEvent =
  | EpisodeStarted
  | HypothesisSubmitted
  | SimulationRun
  | RewardComputed
  | PolicyFailed
  | EpisodeFinished;
