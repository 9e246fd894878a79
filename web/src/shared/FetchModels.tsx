import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api } from "../api/client";
import type { LocalModel } from "../episode/types";
import { Coded } from "./Coded";

const LOOK_MS = 1000;
const megabytes = (bytes: number) => Math.round(bytes / 1e6);

/** Offers the language models that run in the server and are not here yet, to whoever may have them fetched. */
export default function FetchModels() {
  const client = useQueryClient();
  const models = useQuery({
    queryKey: ["models"],
    queryFn: api.models,
    refetchInterval: (query) =>
      query.state.data?.some(({ state }) => state === "fetching") ? LOOK_MS : false,
  });
  const here = models.data?.filter(({ state }) => state === "present").length;
  // What a model plays as can be chosen from the moment it is here.
  useEffect(() => {
    if (here) client.invalidateQueries({ queryKey: ["policies"] });
  }, [here, client]);
  return models.data
    ?.filter(({ state, may_fetch }) => state === "fetching" || (state !== "present" && may_fetch))
    .map((model) => <Offer key={model.name} model={model} />);
}

function Offer({ model }: { model: LocalModel }) {
  const client = useQueryClient();
  const fetch = useMutation({
    mutationFn: () => api.fetchModel(model.name),
    onSuccess: () => client.invalidateQueries({ queryKey: ["models"] }),
  });
  const { state, title, done_bytes: done, total_bytes: total } = model;
  return (
    <section className="notice grid gap-2" aria-label={title}>
      {state === "fetching" ? (
        <>
          <p>
            Fetching {title}: {model.doing}, {megabytes(done)} of {megabytes(total)} MB
          </p>
          <progress
            className="w-full"
            style={{ accentColor: "var(--trained)" }}
            max={Math.max(1, total)}
            value={done}
            aria-label={`Fetching ${title}`}
          />
        </>
      ) : (
        <>
          <p>
            {title} ({model.licence}) is a small language model that plays in this server, trained
            and untrained. It is not here yet.
          </p>
          <button
            type="button"
            className="button justify-self-start"
            disabled={fetch.isPending}
            onClick={() => fetch.mutate()}
          >
            Fetch {title}, {megabytes(total)} MB
          </button>
        </>
      )}
      {state === "failed" && (
        <p role="alert" className="text-danger">
          It could not be fetched: <Coded text={model.reason ?? ""} />
        </p>
      )}
      {state === "absent" && model.reason && (
        <p className="text-warn">
          <Coded text={model.reason} />
        </p>
      )}
      {fetch.error && (
        <p role="alert" className="text-danger">
          {fetch.error.message}
        </p>
      )}
    </section>
  );
}
