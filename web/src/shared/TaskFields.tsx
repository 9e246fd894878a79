import type { NewSession } from "../api/client";
import type { SystemInfo } from "../episode/types";

/** What an empty seed field stands for: a task that nobody chose. */
export const seedOf = (text: string) =>
  text === "" ? Math.floor(Math.random() * 1e6) : Number(text);

interface SystemProps {
  systems: SystemInfo[] | undefined;
  value: string | undefined;
  onChange: (id: string) => void;
}

/** All systems, by how hard they are. */
export function SystemField({ systems, value, onChange }: SystemProps) {
  return (
    <label>
      System
      <select className="field" value={value ?? ""} onChange={(e) => onChange(e.target.value)}>
        {[1, 2, 3].map((tier) => (
          <optgroup key={tier} label={`Tier ${tier}`}>
            {systems
              ?.filter((entry) => entry.tier === tier)
              .map((entry) => (
                <option key={entry.id} value={entry.id}>
                  {entry.title}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}

export function SeedField({
  value,
  onChange,
}: {
  value: string;
  onChange: (seed: string) => void;
}) {
  return (
    <label>
      Seed
      <input
        className="field"
        type="number"
        min={0}
        value={value}
        placeholder="any"
        onChange={(e) => onChange(e.target.value)}
      />
    </label>
  );
}

export function TurnsField({
  value,
  onChange,
}: {
  value: number;
  onChange: (turns: number) => void;
}) {
  return (
    <label>
      Turn budget
      <input
        className="field"
        type="number"
        min={1}
        max={64}
        value={value}
        onChange={(e) => onChange(e.target.valueAsNumber || 1)}
      />
    </label>
  );
}

export type Profile = NonNullable<NewSession["profile"]>;

/** What has to hold for an episode to be solved. */
export function ProfileField({
  value,
  onChange,
}: {
  value: Profile;
  onChange: (profile: Profile) => void;
}) {
  return (
    <label>
      Solved when
      <select
        className="field"
        value={value}
        onChange={(e) => onChange(e.target.value === "classic" ? "classic" : "strict")}
      >
        <option value="strict">what is left over is noise (strict)</option>
        <option value="classic">R² is above 0.93 (classic)</option>
      </select>
    </label>
  );
}
