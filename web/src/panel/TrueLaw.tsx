import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import type { TurnView } from "../episode/types";
import { Maths, Typeset } from "../viz";
import { figure, share } from "../viz/format";

const RECOVERED = {
  exact: "The found law is the true one.",
  recovered: "The found law is the true one but for small differences of its constants.",
  different: "The found law is another one than the true law.",
} as const;

/** What the server tells of the true law beside a turn, once its episode has ended; null where nobody knows it. */
export function useTruth(id: string, turn: number, ended: boolean) {
  return useQuery({
    enabled: ended,
    queryKey: ["truth", id, turn],
    queryFn: () => api.truth(id, turn),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  }).data;
}

/** Whether a law is the true one, in a sentence. */
export function Correctness({ verdict, field_error }: NonNullable<TurnView["correctness"]>) {
  return (
    <p>
      {RECOVERED[verdict]}{" "}
      {field_error !== null && verdict !== "exact" && (
        <span className="text-muted">
          Around the motion the two differ by {percent(100 * field_error)}.
        </span>
      )}
    </p>
  );
}

interface Props {
  id: string;
  turn: number;
  /** Whose law it stands beside, where several are on the screen. */
  of?: string;
  /** The sentence is said elsewhere, or there is no law to speak of. */
  noSentence?: boolean;
}

/** The true law, typeset, with its constants beside those of one turn. Only of an episode that has ended. */
export function TrueLaw({ id, turn, of, noSentence = false }: Props) {
  const truth = useTruth(id, turn, true);
  if (!truth) return null;
  const { latex, equation, constants, correctness } = truth;
  const several = new Set(constants.map((one) => one.target)).size > 1;
  return (
    <section className="grid gap-2" aria-label={named("The true law", of)}>
      <h3>The true law</h3>
      <div className="grid items-start gap-4 grid-cols-[repeat(auto-fit,minmax(min(100%,18rem),1fr))]">
        <div className="grid gap-2">
          <Typeset
            latex={latex}
            source={equation}
            of={of === undefined ? "the true law" : `the true law, beside ${of}`}
          />
          {correctness && !noSentence && <Correctness {...correctness} />}
        </div>
        <section
          className="overflow-x-auto"
          aria-label={named("Constants, true and found", of)}
          tabIndex={0}
        >
          <table className="text-left">
            <thead>
              <tr className="text-xs text-muted">
                <th scope="col" className="pr-6 font-normal">
                  Constant of
                </th>
                <th scope="col" className="pr-6 text-right font-normal">
                  True
                </th>
                <th scope="col" className="pr-6 text-right font-normal">
                  Turn {turn}
                </th>
                <th scope="col" className="text-right font-normal">
                  Difference
                </th>
              </tr>
            </thead>
            <tbody>
              {constants.map((one) => (
                <tr key={`${one.target} ${one.form}`}>
                  <th scope="row" className="pr-6 font-normal">
                    <span className="sr-only">{one.form}</span>
                    <span aria-hidden="true">
                      <Maths latex={one.latex} source={one.form} />
                    </span>
                    {several && <span className="text-xs text-muted"> in {one.target}</span>}
                  </th>
                  <td className="pr-6 text-right">{told(one.true)}</td>
                  <td className="pr-6 text-right">{told(one.found)}</td>
                  <td className="text-right">{difference(one)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
    </section>
  );
}

const named = (what: string, of: string | undefined) =>
  of === undefined ? what : `${what}, ${of}`;

const told = (value: number | null) => (value === null ? "–" : figure(value, 4));

const percent = (value: number) =>
  Math.abs(value) < 0.01 ? "less than 0.01 %" : `${figure(value, 2)} %`;

function difference(one: { true: number | null; found: number | null; percent: number | null }) {
  if (one.found === null) return "missing";
  if (one.true === null) return "not in the true law";
  if (one.percent === null) return share(one.found - one.true);
  if (Math.abs(one.percent) < 0.01) return "under 0.01 %";
  return `${one.percent > 0 ? "+" : ""}${figure(one.percent, 2)} %`;
}
