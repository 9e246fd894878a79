import { useState } from "react";
import { figure, unit as written } from "../../viz/format";

interface Props {
  name: string;
  unit?: string | undefined;
  value: number;
  /** How well the value is known, where it was fitted. */
  error?: number | undefined;
  onChange: (value: number) => void;
}

/** From nothing to three times the value it had when taken hold of, or both ways from zero. */
export function Slider({ name, unit, value, error, onChange }: Props) {
  const [around, setAround] = useState(value);
  const centre = value !== around && Math.abs(value) > 3 * Math.abs(around) ? value : around;
  const [low, high] = centre === 0 ? [-1, 1] : centre > 0 ? [0, 3 * centre] : [3 * centre, 0];
  return (
    <div className="grid grid-cols-[minmax(2rem,auto)_1fr_6.5rem] items-center gap-x-2">
      <span className="min-w-0 truncate">{name}</span>
      <input
        type="range"
        aria-label={`${name}, slider`}
        aria-valuetext={figure(value, 4)}
        style={{ accentColor: "var(--trained)", minHeight: 24, minWidth: 0 }}
        min={low}
        max={high}
        step={(high - low) / 300}
        value={value}
        onChange={(event) => onChange(Number(event.target.valueAsNumber.toPrecision(5)))}
        onPointerUp={() => setAround(value)}
        onBlur={() => setAround(value)}
      />
      <input
        type="number"
        aria-label={name}
        className="field"
        step="any"
        value={value}
        onChange={(event) => {
          if (Number.isFinite(event.target.valueAsNumber)) {
            onChange(event.target.valueAsNumber);
            setAround(event.target.valueAsNumber);
          }
        }}
      />
      {(error !== undefined || (unit && unit !== "1")) && (
        <span className="col-start-2 col-end-4 text-right text-xs text-muted">
          {error !== undefined && `± ${figure(error, 2)} `}
          {unit && unit !== "1" && written(unit)}
        </span>
      )}
    </div>
  );
}
