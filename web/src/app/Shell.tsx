import { Link, Outlet } from "@tanstack/react-router";
import { useState } from "react";

const NAMES = {
  "/run": "Run",
  "/manual": "Manual",
  "/compare": "Compare",
  "/episodes": "Episodes",
};
const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem("theme");
    return THEMES.find((theme) => theme === stored) ?? "system";
  } catch {
    return "system";
  }
}

function applyTheme(theme: Theme) {
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // An embed without storage keeps the choice for this page only.
  }
  const dark =
    theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

export function Shell() {
  const [theme, setTheme] = useState(storedTheme);
  return (
    <>
      <a href="#main" className="absolute left-2 -top-16 z-10 bg-raised px-3 py-2 focus:top-2">
        Skip to content
      </a>
      <header className="border-b border-line bg-surface">
        <div className="mx-auto flex max-w-[1360px] flex-wrap items-center gap-x-6 gap-y-1 px-4 py-2">
          <span className="font-semibold">PhysiX-Live</span>
          <nav aria-label="Screens" className="flex gap-4">
            {(["/run", "/manual", "/compare", "/episodes"] as const).map((to) => (
              <Link
                key={to}
                to={to}
                className="py-1 text-ink"
                activeProps={{ className: "font-semibold underline underline-offset-4" }}
              >
                {NAMES[to]}
              </Link>
            ))}
          </nav>
          <label className="ml-auto flex items-center gap-2 text-muted">
            Theme
            <select
              className="field"
              value={theme}
              onChange={(change) => {
                const chosen = THEMES.find((entry) => entry === change.target.value) ?? "system";
                setTheme(chosen);
                applyTheme(chosen);
              }}
            >
              {THEMES.map((entry) => (
                <option key={entry}>{entry}</option>
              ))}
            </select>
          </label>
        </div>
      </header>
      <main id="main" tabIndex={-1} className="mx-auto max-w-[1360px] p-4">
        <Outlet />
      </main>
    </>
  );
}
