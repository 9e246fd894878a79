import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/client";

/** One hypothesis, typed by a person. Parameters are written `k=1.2, g=9.81`. */
export function HypothesisForm({ id }: { id: string }) {
  const [equation, setEquation] = useState("");
  const [params, setParams] = useState("");
  const submit = useMutation({
    mutationFn: () =>
      api.step(id, {
        equation,
        params: Object.fromEntries(
          params
            .split(",")
            .map((pair) => pair.split("="))
            .filter(([name]) => name?.trim())
            .map(([name = "", value]) => [name.trim(), Number(value)]),
        ),
      }),
  });
  return (
    <form
      className="panel grid gap-3"
      onKeyDown={(key) => {
        if (key.key === "Enter" && (key.ctrlKey || key.metaKey)) key.currentTarget.requestSubmit();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        submit.mutate();
      }}
    >
      <label>
        Equation
        <textarea
          className="field font-mono"
          required
          value={equation}
          onChange={(e) => setEquation(e.target.value)}
        />
      </label>
      <label>
        Parameters
        <input
          className="field font-mono"
          placeholder="k=1.2, g=9.81"
          value={params}
          onChange={(e) => setParams(e.target.value)}
        />
      </label>
      <button type="submit" className="button primary" disabled={submit.isPending}>
        Submit
      </button>
      {submit.error && (
        <p role="alert" className="text-danger">
          {submit.error.message}
        </p>
      )}
    </form>
  );
}
