import { type Look, stroke } from "./looks";

/** A piece of a curve, beside its name. */
export function Sample({ look }: { look: Look }) {
  return (
    <svg width="22" height="8" aria-hidden="true" className="shrink-0" data-sample>
      <line
        x2="22"
        y1="4"
        y2="4"
        stroke={stroke(look)}
        strokeWidth="2"
        strokeDasharray={look.dash}
      />
    </svg>
  );
}
