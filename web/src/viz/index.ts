export {
  type Chart,
  ChartKinds,
  Charts,
  Drawn,
  finding,
  Outside,
  SavePicture,
} from "./Charts";
export { type Clock, createClock, useClock } from "./clock";
export { EquationView, loadMaths, Maths, Typeset } from "./EquationView";
export { figure } from "./format";
export { type Look, lookAt, MOST_CURVES, stroke } from "./looks";
export { PlayEpisode } from "./PlayEpisode";
export { type Caption, save } from "./picture";
export { Range } from "./Range";
export { RewardBar } from "./RewardBar";
export { Sample } from "./Sample";
export { Scene } from "./Scene";
export { Snapshot } from "./Snapshot";
export { Sound } from "./Sound";
export { outside, predicted, type Series, seriesOf, statesOf } from "./series";
export { TrajectoryPlot } from "./TrajectoryPlot";
export { Transport } from "./Transport";
export { TurnTimeline } from "./TurnTimeline";
