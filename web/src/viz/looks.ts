// How curves look that share a chart: told apart by colour and by dash, and named wherever a value is read.

/** How one curve is drawn. */
export interface Look {
  /** A colour token. */
  colour: string;
  /** Absent: a solid line. */
  dash?: string;
}

const LOOKS: Look[] = [
  { colour: "trained" },
  { colour: "untrained", dash: "7 4" },
  { colour: "residual", dash: "2 3" },
  { colour: "simplicity", dash: "10 3 2 3" },
  { colour: "progress", dash: "4 2" },
  { colour: "format", dash: "12 4" },
  { colour: "ok", dash: "1 2" },
  { colour: "ink", dash: "6 2 2 2" },
];

/** More curves than this could not be told apart. */
export const MOST_CURVES = LOOKS.length;

/** How the curve at a place looks, counted from 0. */
export const lookAt = (place: number): Look => LOOKS[place % LOOKS.length] ?? { colour: "ink" };

export const stroke = ({ colour }: Pick<Look, "colour">) => `var(--${colour})`;
