import type { Drawing, Point } from "./drawings";
import { extent, scale } from "./scale";

interface Room {
  width: number;
  height: number;
  pad: number;
}

/** Where points of the data stand in a picture that shows all of them. */
export function placed(
  points: readonly Point[],
  drawing: Drawing,
  { width, height, pad }: Room,
): (point: Point) => Point {
  const [left, right] = extent(points.map((point) => point.x));
  const [bottom, top] = extent(points.map((point) => point.y));
  const inner = { w: width - 2 * pad, h: height - 2 * pad };
  if (drawing.square) {
    const unit = Math.min(inner.w / (right - left || 1), inner.h / (top - bottom || 1));
    const middle = { x: (left + right) / 2, y: (top + bottom) / 2 };
    return (p) => ({
      x: width / 2 + (p.x - middle.x) * unit,
      y: height / 2 - (p.y - middle.y) * unit,
    });
  }
  const x = scale(left, right, right > left ? width * 0.35 : pad, width - pad);
  const y = scale(bottom, top, height - pad, pad);
  return (p) => ({ x: right > left ? x(p.x) : width / 2, y: top > bottom ? y(p.y) : height / 2 });
}
