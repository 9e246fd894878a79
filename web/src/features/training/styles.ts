// How the curves of several runs look.

// Told apart by colour and by dash, and named wherever a value is read.
export const STYLES = [
  { colour: "var(--trained)", dash: undefined },
  { colour: "var(--untrained)", dash: "7 4" },
  { colour: "var(--residual)", dash: "2 3" },
  { colour: "var(--simplicity)", dash: "10 3 2 3" },
  { colour: "var(--progress)", dash: "4 2" },
  { colour: "var(--format)", dash: "12 4" },
  { colour: "var(--ok)", dash: "1 2" },
  { colour: "var(--ink)", dash: "6 2 2 2" },
];
export const styleOf = (k: number) =>
  STYLES[k % STYLES.length] ?? { colour: "var(--ink)", dash: undefined };
