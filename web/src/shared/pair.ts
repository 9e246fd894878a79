import type { PolicyInfo } from "../episode/types";

/** Whether a policy samples its replies; the others have one answer to a task. */
export const isLanguageModel = (policy: string) => /^(local|ollama|openai|hf):/.test(policy);

type Choice = Pick<PolicyInfo, "name" | "title" | "reachable" | "is_default">;

/**
 * The two policies that a comparison begins with: both must have something to show. A language model after and before
 * its training where there is one (`local:m-physix`, `local:m+adapter`), else a language model against the default policy,
 * else the small model that comes along, trained and early in its training. An untrained model does not stand for
 * language models: it writes little that can be read.
 */
export function defaultPair(policies: readonly Choice[]): string[] {
  const there = policies.filter((one) => one.reachable).map((one) => one.name);
  const models = there.filter(isLanguageModel);
  for (const base of models) {
    const trained = models.find(
      (name) => /^[-+]/.test(name.slice(base.length)) && name.startsWith(base),
    );
    if (trained) return [trained, base];
  }
  const first = policies.find((one) => one.is_default && one.reachable)?.name;
  const others = policies
    .filter((one) => one.reachable && one.name !== first && !/untrained/i.test(one.title))
    .map((one) => one.name);
  const rival = others.find(isLanguageModel);
  const small = ["nano", "nano-early"].filter((name) => there.includes(name));
  if (!rival && small.length === 2) return small;
  return [rival ?? small[0] ?? others[0], first].flatMap((name) => name ?? []);
}
