import type { NewSession } from "../api/client";
import { ProfileField } from "./TaskFields";

/** By which rules an episode is judged and paid. */
export type Rules = Required<
  Pick<NewSession, "profile" | "reward_mode"> & {
    constants: NonNullable<NewSession["constants"]>;
    functions: NonNullable<NewSession["functions"]>;
  }
>;

interface Props {
  rules: Rules;
  onRules: (changed: Partial<Rules>) => void;
}

/** What the one who starts an episode can say of its rules. */
export default function RulesFields({ rules, onRules }: Props) {
  return (
    <>
      <ProfileField value={rules.profile} onChange={(profile) => onRules({ profile })} />
      <label>
        Constants that a law leaves open
        <select
          className="field"
          value={rules.constants}
          onChange={(event) =>
            onRules({ constants: event.target.value === "declared" ? "declared" : "fitted" })
          }
        >
          <option value="fitted">are fitted</option>
          <option value="declared">are refused</option>
        </select>
      </label>
      <label>
        Functions
        <select
          className="field"
          value={rules.functions}
          onChange={(event) =>
            onRules({ functions: event.target.value === "basic" ? "basic" : "extended" })
          }
        >
          <option value="extended">with tanh, sign, min, max, …</option>
          <option value="basic">sin, cos, tan, exp, log, sqrt, abs</option>
        </select>
      </label>
      <label>
        Reward
        <select
          className="field"
          value={rules.reward_mode}
          onChange={(event) =>
            onRules({ reward_mode: event.target.value === "gain" ? "gain" : "total" })
          }
        >
          <option value="total">total of each turn</option>
          <option value="gain">what a turn adds</option>
        </select>
      </label>
    </>
  );
}
