/**
 * Where the API is: on the page's own server, unless the page is served from elsewhere.
 *
 * `npm run dev` asks the server on its usual port; `VITE_PHYSIX_API_URL` names another, and when set
 * at build time makes a page for a host of its own.
 */
export const SERVER: string =
  import.meta.env.VITE_PHYSIX_API_URL?.replace(/\/+$/, "") ??
  (import.meta.env.DEV && import.meta.env.MODE !== "test" ? "http://localhost:8000" : "");
