import { type ReactNode, useEffect, useRef, useState } from "react";

interface Props {
  /** What the button says. */
  label: ReactNode;
  /** What the menu is called. */
  name: string;
  className?: string;
  children: (close: () => void) => ReactNode;
}

/** A button that opens a panel below itself: Esc and a click elsewhere close it, and the focus goes back to the button. */
export function Menu({ label, name, className = "button", children }: Props) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
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
        className={className}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        <section className="menu right-0" aria-label={name}>
          {children(close)}
        </section>
      )}
    </div>
  );
}
