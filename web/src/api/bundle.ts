/** True in a folder written by `physix bundle`: no server, episodes lie beside the page. */
export const bundled = document.querySelector('meta[name="physix-bundle"]') !== null;

/** Where a bundle keeps what the server would answer, null where it keeps nothing of the kind. */
export function bundledFile(path: string): string | null {
  const { pathname } = new URL(path, "http://page");
  if (pathname === "/api/episodes") return "data/episodes.json";
  const episode = /^\/api\/episodes\/([^/]+)(\/events)?$/.exec(pathname);
  if (!episode) return null;
  return `data/${episode[1]}${episode[2] ? ".events" : ""}.json`;
}
