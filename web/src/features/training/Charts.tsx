import { useRef, useState } from "react";
import { save } from "../../viz";
import { pictureOf, toPng } from "../../viz/picture";
import { Curve, type Looked } from "./Curve";

interface Props extends Looked {
  title: string;
  names: string[];
}

/** One small chart a quantity, kept as one picture. */
export function Charts({ title, names, loaded, ...rest }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  const png = async () => {
    if (!box.current) return;
    const lines = [loaded.map(({ run }) => run.id).join(", ")];
    try {
      save("training.png", await toPng(pictureOf(box.current, { title, lines })));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  return (
    <section className="panel grid gap-3" aria-label={title}>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{title}</h2>
        <span className="flex items-center gap-2">
          {failed && <span className="text-xs text-danger">The browser could not draw it.</span>}
          <button type="button" className="chip" onClick={png}>
            Save as PNG
          </button>
        </span>
      </div>
      <div
        ref={box}
        className="grid gap-4"
        style={{ gridTemplateColumns: "repeat(auto-fill, minmax(min(100%, 300px), 1fr))" }}
      >
        {names.map((name) => (
          <Curve key={name} name={name} loaded={loaded} {...rest} />
        ))}
      </div>
    </section>
  );
}
