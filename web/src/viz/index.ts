export { Charts, finding } from "./Charts";
export { type Clock, createClock, useClock } from "./clock";
export { EquationView, Typeset } from "./EquationView";
export { RewardBar } from "./RewardBar";
export { Scene } from "./Scene";
export { predicted, type Series, statesOf } from "./series";
export { Transport } from "./Transport";
export { TurnTimeline } from "./TurnTimeline";
