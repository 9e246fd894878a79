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

const GREEK: Record<string, string> = { theta: "θ", omega: "ω", phi: "φ", alpha: "α" };

/** A variable's name as a chart shows it: θ, θ̇, v_y. */
export function symbol(name: string): string {
  const greek = GREEK[name];
  if (greek !== undefined) return greek;
  const rate = name.startsWith("d") ? GREEK[name.slice(1)] : undefined;
  return rate === undefined ? name : `${rate}\u0307`;
}
