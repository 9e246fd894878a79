import { type ComponentProps, useEffect, useState } from "react";

interface Props extends Omit<ComponentProps<"input">, "type" | "value" | "onChange"> {
  value: number;
  onChange: (value: number) => void;
}

/**
 * A slider whose value is kept elsewhere, in the address say, where it arrives a moment later: until then it stays
 * where it was moved to.
 */
export function Range({ value, onChange, ...rest }: Props) {
  const [moved, setMoved] = useState<number | null>(null);
  // A value that has arrived is the one to show.
  useEffect(() => setMoved(null), [value]);
  return (
    <input
      {...rest}
      type="range"
      value={moved ?? value}
      onChange={({ target }) => {
        setMoved(target.valueAsNumber);
        onChange(target.valueAsNumber);
      }}
    />
  );
}
