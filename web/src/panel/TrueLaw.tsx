import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";
import { Maths, Typeset } from "../viz";
import { figure, share } from "../viz/format";

const RECOVERED = {
  exact: "The found law is the true one.",
  recovered: "The found law is the true one but for small differences of its constants.",
  different: "The found law is another one than the true law.",
} as const;

/** The true law, typeset, with its constants beside those of one turn. Only of an episode that has ended. */
export function TrueLaw({ id, turn }: { id: string; turn: number }) {
  const truth = useQuery({
    queryKey: ["truth", id, turn],
    queryFn: () => api.truth(id, turn),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  if (!truth.data) return null;
  const { latex, equation, constants, correctness } = truth.data;
  const several = new Set(constants.map((one) => one.target)).size > 1;
  return (
    <section className="grid gap-2" aria-label="The true law">
      <h3>The true law</h3>
      <div className="grid items-start gap-4 md:grid-cols-2">
        <div className="grid gap-2">
          <Typeset latex={latex} source={equation} of="the true law" />
          {correctness && (
            <p>
              {RECOVERED[correctness.verdict]}{" "}
              {correctness.field_error !== null && correctness.verdict !== "exact" && (
                <span className="text-muted">
                  Around the motion the two differ by {percent(100 * correctness.field_error)}.
                </span>
              )}
            </p>
          )}
        </div>
        <section className="overflow-x-auto" aria-label="Constants, true and found" tabIndex={0}>
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
