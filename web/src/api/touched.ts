// Episodes that this page has acted on: whoever shows one looks again, whether or not a stream is open.

type Listener = (id: string, driven: boolean | null) => void;

const listeners = new Set<Listener>();

export function onTouched(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Tells that an episode was acted on; `driven` as the server's answer says it, null if it does not. */
export function touch(id: string, driven: boolean | null): void {
  for (const listener of listeners) listener(id, driven);
}
