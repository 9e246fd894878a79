export { type Clock, createClock, useClock } from "./clock";
export { EquationView } from "./EquationView";
export { RewardBar } from "./RewardBar";
export { Scene } from "./Scene";
export { TrajectoryPlot } from "./TrajectoryPlot";
export { Transport } from "./Transport";
export { TurnTimeline } from "./TurnTimeline";
