/** A colour token as the browser paints it now: themes and forced colours included. */
export function paintOf(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  probe.style.setProperty("forced-color-adjust", "none");
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
