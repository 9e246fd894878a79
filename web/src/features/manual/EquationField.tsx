import { type KeyboardEvent, useId, useRef, useState } from "react";
import { wordBefore } from "./draft";

interface Props {
  target: string;
  value: string;
  placeholder: string;
  invalid: boolean;
  /** Names that can be completed: variables, inputs, functions (with their bracket), constants. */
  words: readonly string[];
  onChange: (text: string) => void;
  onComposing: (composing: boolean) => void;
  /** Up and Down where no completion is open. */
  onRecall: (direction: number) => void;
  onField: (field: HTMLInputElement | null) => void;
  onFocus: () => void;
}

/** One right side, with completion of the names that may stand in it. */
export function EquationField(props: Props) {
  const { target, value, words, onChange } = props;
  const list = useId();
  const field = useRef<HTMLInputElement | null>(null);
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(-1);
  const word = caret === null ? "" : wordBefore(value, caret);
  const offers =
    word === "" ? [] : words.filter((one) => one.startsWith(word) && one !== word).slice(0, 6);
  const accept = (offer: string) => {
    const from = (caret ?? value.length) - word.length;
    const next = value.slice(0, from) + offer + value.slice(caret ?? value.length);
    onChange(next);
    setCaret(null);
    setChosen(-1);
    const place = from + offer.length;
    requestAnimationFrame(() => field.current?.setSelectionRange(place, place));
  };
  const press = (event: KeyboardEvent<HTMLInputElement>) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (offers.length === 0) {
      if (step !== 0) {
        event.preventDefault();
        props.onRecall(step);
      }
      return;
    }
    const offer = offers[chosen];
    if (step !== 0) {
      event.preventDefault();
      setChosen(Math.min(offers.length - 1, Math.max(-1, chosen + step)));
    } else if (event.key === "Escape") {
      event.stopPropagation();
      setCaret(null);
    } else if (event.key === "Enter" && offer !== undefined && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      accept(offer);
    }
  };
  return (
    <div className="relative">
      <label>
        <code>{target} =</code>
        <input
          ref={(element) => {
            field.current = element;
            props.onField(element);
          }}
          className="field font-mono"
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          role="combobox"
          aria-expanded={offers.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={chosen >= 0 ? `${list} ${chosen}`.replace(" ", "-") : undefined}
          aria-describedby="verdict"
          aria-invalid={props.invalid}
          placeholder={props.placeholder}
          value={value}
          onFocus={props.onFocus}
          onBlur={() => setCaret(null)}
          onCompositionStart={() => props.onComposing(true)}
          onCompositionEnd={(event) => {
            props.onComposing(false);
            onChange(event.currentTarget.value);
          }}
          onChange={(event) => {
            setCaret(event.target.selectionStart);
            setChosen(-1);
            onChange(event.target.value);
          }}
          onKeyDown={press}
        />
      </label>
      <div
        id={list}
        role="listbox"
        aria-label="Completions"
        className={offers.length > 0 ? "menu" : "hidden"}
      >
        {offers.map((offer, i) => (
          <button
            key={offer}
            id={`${list}-${i}`}
            type="button"
            role="option"
            tabIndex={-1}
            aria-selected={i === chosen}
            className="font-mono"
            style={i === chosen ? { background: "var(--ink)", color: "var(--surface)" } : undefined}
            onPointerDown={(event) => {
              event.preventDefault();
              accept(offer);
            }}
          >
            {offer}
          </button>
        ))}
      </div>
    </div>
  );
}
