import { type ReactNode, useEffect, useRef, useState } from "react";
import { useKeys } from "./keys";

interface Props {
  /** What the button says. */
  label: ReactNode;
  /** What the menu is called. */
  name: string;
  /** The edge of the button that the panel keeps to. */
  edge: "left" | "right";
  /** A single key that opens it, with the focus on its first entry. */
  opensWith?: string;
  children: (close: () => void) => ReactNode;
}

/** A button that opens a panel below itself: Esc and a click elsewhere close it, and the focus goes back to the button. */
export function Menu({ label, name, edge, opensWith, children }: Props) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLElement>(null);
  const byKey = useRef(false);
  useKeys(
    opensWith === undefined
      ? {}
      : {
          [opensWith]: () => {
            byKey.current = true;
            setOpen(true);
          },
        },
  );
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    if (byKey.current) panel.current?.querySelector<HTMLElement>("button, a")?.focus();
    byKey.current = false;
    const elsewhere = (event: Event) => {
      if (event.target instanceof Node && !box.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [open]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Esc closes, wherever the focus is within
    <div
      ref={box}
      className="relative"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open) return;
        event.stopPropagation();
        close();
      }}
    >
      <button
        ref={button}
        type="button"
        className="button"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        <section ref={panel} className={`menu ${edge}-0`} aria-label={name}>
          {children(close)}
        </section>
      )}
    </div>
  );
}
