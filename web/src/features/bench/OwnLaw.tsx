import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import type { Fitted } from "../../episode/types";
import { ran } from "./laws";
import { storedLaws, storeLaws } from "./stored";

/** The laws that were fitted by hand on a bench, kept in this browser, and how to keep another. */
export function useOwnLaws(id: string) {
  const client = useQueryClient();
  const key = ["own laws", id];
  const { data: fits } = useQuery({
    queryKey: key,
    queryFn: () => storedLaws(id),
    initialData: () => storedLaws(id),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
  /** Returns the key by which the law is chosen; one that was fitted before is not laid out twice. */
  const keep = (fitted: Fitted): string => {
    const before = fits.findIndex(({ equation }) => equation === fitted.equation);
    if (before >= 0) return `yours ${before}`;
    const all = [...fits, fitted];
    client.setQueryData(key, all);
    storeLaws(id, all);
    return `yours ${fits.length}`;
  };
  return { fits, keep };
}

interface Props {
  id: string;
  /** The left sides that the task asks for. */
  targets: readonly string[];
  onFitted: (fitted: Fitted) => void;
}

/** Takes a law in any notation; its constants are fitted to the shown rows and it is judged on the others. */
export function OwnLaw({ id, targets, onFitted }: Props) {
  const [law, setLaw] = useState("");
  const fit = useMutation({
    mutationFn: (text: string) => api.fit(id, text),
    onSuccess: (fitted) => {
      if (ran(fitted)) onFitted(fitted);
    },
  });
  const refused = fit.data && !ran(fit.data) ? fit.data.said : [];
  const wrong = fit.error !== null || refused.length > 0;
  return (
    <form
      className="panel grid gap-2"
      aria-label="Fit your own law"
      onSubmit={(submit) => {
        submit.preventDefault();
        if (law.trim() !== "") fit.mutate(law);
      }}
    >
      <h2>Fit your own law</h2>
      <label>
        Law
        <textarea
          className="field font-mono"
          rows={Math.max(2, targets.length)}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          aria-invalid={wrong}
          aria-describedby="own-law"
          placeholder={targets.map((target, i) => `${target} = -k${i || ""}`).join("\n")}
          value={law}
          onChange={(event) => setLaw(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey))
              event.currentTarget.form?.requestSubmit();
          }}
        />
      </label>
      <p id="own-law" className="text-xs text-muted">
        Any name that is no variable is a constant to be fitted. It is kept in this browser, not in
        the log.
      </p>
      <button
        type="submit"
        className="button primary justify-self-start"
        disabled={fit.isPending || law.trim() === ""}
      >
        {fit.isPending ? "Fitting" : "Fit"}
      </button>
      {wrong && (
        <div role="alert" className="text-danger">
          {fit.error ? <p>{fit.error.message}</p> : refused.map((one) => <p key={one}>{one}</p>)}
        </div>
      )}
    </form>
  );
}
