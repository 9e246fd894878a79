/** A number as text: three significant figures, a true minus sign. */
export function figure(value: number, digits = 3): string {
  const size = Math.abs(value);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? value.toExponential(digits - 1)
      : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "\u2212");
}

/** Two decimals, for rewards and matches. */
export function share(value: number): string {
  return value.toFixed(2).replace("-", "\u2212");
}

const RAISED: Record<string, string> = {
  "-": "\u207b",
  "0": "\u2070",
  "1": "\u00b9",
  "2": "\u00b2",
  "3": "\u00b3",
  "4": "\u2074",
};

/** A unit as people write it: m/s² for m/s**2. */
export function unit(text: string): string {
  return text
    .replace(/\*\*(-?[0-4]+)/g, (_, power: string) =>
      [...power].map((digit) => RAISED[digit] ?? digit).join(""),
    )
    .replaceAll("*", "\u00b7");
}

const GREEK: Record<string, string> = { theta: "θ", omega: "ω", phi: "φ", alpha: "α" };

/** A variable's name as a chart shows it: θ, θ̇, v_y. */
export function symbol(name: string): string {
  const greek = GREEK[name];
  if (greek !== undefined) return greek;
  const rate = name.startsWith("d") ? GREEK[name.slice(1)] : undefined;
  return rate === undefined ? name : `${rate}\u0307`;
}
