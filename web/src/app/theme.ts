import { recall, remember } from "../shared/stored";

const STORED = "theme";
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const DARK = "(prefers-color-scheme: dark)";

export function storedTheme(): Theme {
  const stored = recall(STORED);
  return THEMES.find((theme) => theme === stored) ?? "system";
}

export const storeTheme = (theme: Theme) => remember(STORED, theme);

/** Paints the page in a theme, and keeps to the system's as long as that is the choice. Returns the end of it. */
export function applyTheme(theme: Theme): () => void {
  const system = matchMedia(DARK);
  const paint = () => {
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  paint();
  system.addEventListener("change", paint);
  return () => system.removeEventListener("change", paint);
}
