import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../physix/api/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    manifest: true,
  },
  // Scripts and styles find their neighbours by relative paths, so that `physix bundle` can move them.
  experimental: {
    renderBuiltUrl: (name, { hostType }) => (hostType === "html" ? `/${name}` : { relative: true }),
  },
  server: { proxy: { "/api": server, "/interactive": server } },
  test: { environment: "happy-dom", include: ["src/**/*.test.{ts,tsx}"] },
});
