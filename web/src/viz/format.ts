/** A number as text: three significant figures, a true minus sign, and a power of ten where it is far from 1. */
export function figure(value: number, digits = 3): string {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e5))
    return String(Number(value.toPrecision(digits))).replace("-", "\u2212");
  // As above, without zeros at its end.
  return scientific(value, digits).replace(/\.?0+×/, "×");
}

/** As 1.02×10⁵, the number of figures as asked. */
export function scientific(value: number, digits: number): string {
  const [mantissa = "", power = ""] = value.toExponential(digits - 1).split("e");
  if (power === "") return mantissa; // not finite
  return `${mantissa.replace("-", "\u2212")}×10${raised(power.replace("+", ""))}`;
}

/** Two decimals, for rewards and matches. */
export function share(value: number): string {
  return value.toFixed(2).replace("-", "\u2212");
}

const RAISED = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
const raised = (power: string) =>
  power.replace("-", "\u207b").replace(/\d/g, (digit) => RAISED[Number(digit)] ?? digit);

/** A power of ten on an axis: 0.1, 1, 10, 100, and 10⁵ beyond. */
export const powerOfTen = (power: number): string =>
  Number.isInteger(power) && Math.abs(power) > 2
    ? `10${raised(`${power}`)}`
    : figure(10 ** power, 2);

/** A unit as people write it: m/s² for m/s**2. */
export function unit(text: string): string {
  return text
    .replace(/\*\*(-?\d+)/g, (_, power: string) => raised(power))
    .replaceAll("*", "\u00b7");
}

/** A variable and its unit, as an axis is named: θ (rad). */
export const axisName = (variable: { name: string; unit: string | null }): string =>
  `${symbol(variable.name)}${variable.unit ? ` (${unit(variable.unit)})` : ""}`;

const GREEK: Record<string, string> = { theta: "θ", omega: "ω", phi: "φ", alpha: "α" };

/** A variable's name as a chart shows it: θ, θ̇, v_y. */
export function symbol(name: string): string {
  const greek = GREEK[name];
  if (greek !== undefined) return greek;
  const rate = name.startsWith("d") ? GREEK[name.slice(1)] : undefined;
  return rate === undefined ? name : `${rate}\u0307`;
}
