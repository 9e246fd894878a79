// What this browser keeps for the next visit. An embed may be denied storage, and a full one keeps no more.

/** The text that was kept under a key; null where there is none, or no storage. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** What was kept as JSON, of whatever shape: an older page may have kept another; null where there is none. */
export function recallJson(key: string): unknown {
  try {
    return JSON.parse(recall(key) ?? "null");
  } catch {
    return null;
  }
}

/** Keeps a text under a key, or forgets it. Without storage it lasts as long as the page. */
export function remember(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Nowhere to keep it.
  }
}
