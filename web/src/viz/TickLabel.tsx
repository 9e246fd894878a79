import { useTextScale } from "./useSize";

const GLYPH = 7.2; // how wide a digit of the axis text is at most, in CSS pixels

interface Props {
  x: number;
  y: number;
  /** Of the drawing: no label goes beyond it. */
  width: number;
  children: string;
}

/** A number below its place on an axis; at an edge it moves inwards instead of being cut off. */
export function TickLabel({ x, y, width, children }: Props) {
  const half = (GLYPH * useTextScale() * children.length) / 2;
  return (
    <text x={Math.max(half, Math.min(width - half, x))} y={y} textAnchor="middle">
      {children}
    </text>
  );
}
