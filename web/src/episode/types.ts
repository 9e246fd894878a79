// The words of the API, under the names the page uses. Generated: run `make types` after a change.
import type { components } from "../api/schema";

/** As openapi-fetch hands an answer on: a pair is an array to it. */
type Sent<T> = T extends (infer E)[]
  ? Sent<E>[]
  : T extends object
    ? { [K in keyof T]: Sent<T[K]> }
    : T;
type Schemas = Sent<components["schemas"]>;

export type StateVariable = Schemas["StateVariable"];
export type Task = Schemas["Task"];
export type Target = Schemas["Target"];
export type Term = Schemas["Term"];
export type ParseReport = Schemas["ParseReport"];
export type EpisodeConfig = Schemas["EpisodeConfig"];
export type TurnView = Schemas["TurnView"];
export type EpisodeView = Schemas["EpisodeView"];
export type EpisodeRow = Schemas["EpisodeRowView"];
export type SystemInfo = Schemas["SystemView"];
export type PolicyInfo = Schemas["PolicyView"];
export type LocalModel = Schemas["ModelView"];
export type RunSummary = Schemas["RunSummary"];
export type RunMetrics = Schemas["RunMetrics"];
export type Asked = Schemas["PromptView"];
export type Trial = Schemas["TrialView"];
export type Motion = Schemas["Motion"];
export type RunningEpisode = Schemas["RunningEpisode"];
export type Followed = Schemas["Followed"];
export type Discovery = Schemas["Discovery"];
export type Law = Schemas["Law"];
export type Fitted = Schemas["FitView"];
export type BoardSummary = Schemas["BoardSummary"];
export type Board = Schemas["BoardView"];
export type BoardRow = Schemas["BoardRowView"];
export type BoardEpisode = Schemas["BoardEpisodeView"];
export type Told = Schemas["ToldView"];
export type Measurements = Schemas["TableView"];
export type MeasuredColumn = Schemas["ColumnView"];
export type ColumnRole = Schemas["ColumnRole"];
export type Problem = Schemas["Problem"];
export type Comparison = Schemas["ComparisonView"];
export type Demo = Schemas["DemoView"];
export type DemoEpisodes = Schemas["DemoReplay"];
export type EpisodeStarted = Schemas["StartedEvent"];
export type HypothesisSubmitted = Schemas["SubmittedEvent"];
export type SimulationRun = Schemas["SimulatedEvent"];
export type RewardComputed = Schemas["RewardedEvent"];
export type PolicyFailed = Schemas["FailedEvent"];
export type EpisodeLabelled = Schemas["LabelledEvent"];
export type EpisodeFinished = Schemas["FinishedEvent"];
export type Standing = Schemas["Standing"];
export type Outcome = EpisodeFinished["payload"]["reason"];

export type EpisodeEvent =
  | EpisodeStarted
  | HypothesisSubmitted
  | SimulationRun
  | RewardComputed
  | PolicyFailed
  | EpisodeLabelled
  | EpisodeFinished;
