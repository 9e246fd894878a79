import { type KeyboardEvent, useRef } from "react";
import { figure, powerOfTen } from "../../viz/format";
import { scale, spaced, ticks } from "../../viz/scale";
import { useTextScale, useWidth } from "../../viz/useSize";
import type { Candidate } from "./laws";

const HEIGHT = 200;
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 16, 14, 34];
const POINT = 12; // from the middle of a point to its edge, and a little more
const APART = 16; // between the middles of two numbers on the axis

interface Props {
  laws: Candidate[];
  shown: Candidate;
  onShow: (law: Candidate) => void;
}

/** Complexity against what is left over: each law a point that can be pressed, and a row that can be chosen. */
export function Front({ laws, shown, onShow }: Props) {
  const chosen = laws.find((law) => law.chosen);
  const isFar = (law: Candidate) =>
    law.key.startsWith("front") && chosen !== undefined && law.complexity > chosen.complexity;
  const near = laws.filter((law) => !isFar(law));
  const far = laws.filter(isFar);
  const drawn = laws.filter(({ chi2 }) => chi2 !== null && chi2 > 0);
  const searched = laws.some(({ law }) => law !== null);
  const step = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const rows = [...near, ...far];
    const next = rows[rows.indexOf(shown) + by];
    if (by === 0 || !next) return;
    event.preventDefault();
    onShow(next);
    document.getElementById(`law ${next.key}`)?.focus();
  };
  return (
    <section className="panel grid gap-3" aria-label="Laws">
      <h2>{searched ? "The front of laws" : "The laws of the turns"}</h2>
      {searched && drawn.length > 0 && <Picture laws={drawn} shown={shown} onShow={onShow} />}
      <div
        role="radiogroup"
        aria-label="Which law is shown"
        className="grid gap-1"
        onKeyDown={step}
      >
        {near.map((law) => (
          <Row key={law.key} law={law} shown={law === shown} onShow={onShow} />
        ))}
        {far.length > 0 && (
          <details open={far.includes(shown)}>
            <summary className="py-1 text-xs text-muted">
              {far.length} longer {far.length === 1 ? "law that leaves" : "laws that leave"}{" "}
              {hardlyLess(chosen, far) && "hardly "}less over
            </summary>
            <div className="grid gap-1">
              {far.map((law) => (
                <Row key={law.key} law={law} shown={law === shown} onShow={onShow} />
              ))}
            </div>
          </details>
        )}
      </div>
    </section>
  );
}

/** Whether the longer laws explain next to nothing more: by no fifth of what the chosen one leaves over. */
const hardlyLess = (chosen: Candidate | undefined, far: readonly Candidate[]) =>
  Math.min(...far.map(({ chi2 }) => chi2 ?? Number.POSITIVE_INFINITY)) > 0.8 * (chosen?.chi2 ?? 0);

interface RowProps {
  law: Candidate;
  shown: boolean;
  onShow: (law: Candidate) => void;
}

function Row({ law, shown, onShow }: RowProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a row with an equation, two numbers and a mark
    <button
      id={`law ${law.key}`}
      type="button"
      role="radio"
      aria-checked={shown}
      tabIndex={shown ? 0 : -1}
      className="grid grid-cols-[1fr_auto] items-baseline gap-x-2 rounded px-2 py-1 text-left"
      style={{
        border: `1px solid ${shown ? "var(--trained)" : "var(--line)"}`,
        boxShadow: shown ? "inset 3px 0 var(--trained)" : undefined,
      }}
      onClick={() => onShow(law)}
    >
      <code className="min-w-0" style={{ overflowWrap: "anywhere" }}>
        {law.equation}
      </code>
      <span className="text-right text-xs text-muted">
        {law.chi2 === null ? law.title : `χ² ${figure(law.chi2, 3)}`}
      </span>
      <span className="col-span-2 text-xs text-muted">
        {law.complexity} {law.complexity === 1 ? "operator" : "operators"}
        {law.chosen && ", chosen"}
        {law.key.startsWith("rival") && ", a rival"}
        {law.yours && ", yours"}
        {law.law && !law.chosen && law.law.explains && ", explains the data too"}
      </span>
    </button>
  );
}

/** On a logarithmic axis; a line at 1, where what is left over is the noise. */
function Picture({ laws, shown, onShow }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const text = useTextScale();
  const left = LEFT * text;
  const tall = HEIGHT + (text - 1) * (TOP + BOTTOM);
  const height = (law: Candidate) => Math.log10(law.chi2 ?? 1);
  const sizes = laws.map(({ complexity }) => complexity);
  const logs = [...laws.map(height), 0];
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const x = scale(
    Math.min(...sizes) - 0.7,
    Math.max(...sizes) + 0.7,
    left,
    Math.max(60, width - RIGHT),
  );
  const y = scale(low, high, tall - BOTTOM * text - POINT, TOP * text + POINT);
  const front = laws.filter(({ key }) => key.startsWith("front"));
  const powers = ticks(low, high, 4).filter(Number.isInteger);
  return (
    <div ref={box} className="min-w-0">
      {width >= 60 && (
        <svg
          width={width}
          height={tall}
          role="img"
          aria-label={`${laws.length} laws: from ${figure(laws[0]?.chi2 ?? 0, 3)} times the noise's chi² with ${laws[0]?.complexity} operators to ${figure(front.at(-1)?.chi2 ?? 0, 3)} with ${front.at(-1)?.complexity}`}
        >
          <g fontSize="0.6875rem" fill="var(--muted)">
            {(powers.length > 1 ? powers : [low, high].map((one) => Number(one.toFixed(1)))).map(
              (power) => (
                <g key={power}>
                  <line x1={left} x2={x(x.max)} y1={y(power)} y2={y(power)} stroke="var(--line)" />
                  <text x={left - 6} y={y(power) + 4} textAnchor="end">
                    {powerOfTen(power)}
                  </text>
                </g>
              ),
            )}
            <line
              x1={left}
              x2={x(x.max)}
              y1={y(0)}
              y2={y(0)}
              stroke="var(--ok)"
              strokeDasharray="5 3"
            />
            <text x={x(x.max)} y={y(0) - 4} textAnchor="end" fill="var(--ok)">
              noise
            </text>
            {spaced([...new Set(sizes)], x, APART * text).map((size) => (
              <text key={size} x={x(size)} y={tall - 18 * text} textAnchor="middle">
                {size}
              </text>
            ))}
            <text x={x(x.max)} y={tall - 4} textAnchor="end">
              operators
            </text>
            <text x={4} y={12 * text} fontSize="0.75rem" fill="var(--ink)">
              χ² a sample
            </text>
          </g>
          <polyline
            points={front.map((law) => `${x(law.complexity)},${y(height(law))}`).join(" ")}
            fill="none"
            stroke="var(--control)"
          />
          {laws.map((law) => {
            const [cx, cy] = [x(law.complexity), y(height(law))];
            const rival = law.key.startsWith("rival");
            return (
              // biome-ignore lint/a11y/noStaticElementInteractions: as above
              <g key={law.key} onClick={() => onShow(law)} style={{ cursor: "pointer" }}>
                <circle cx={cx} cy={cy} r={14} fill="transparent" />
                {law.yours ? (
                  <path
                    d={`M${cx} ${cy - 7}l7 12h-14Z`}
                    fill="var(--surface)"
                    stroke="var(--residual)"
                    strokeWidth={2}
                  />
                ) : rival ? (
                  <rect
                    x={cx - 5}
                    y={cy - 5}
                    width={10}
                    height={10}
                    fill="var(--surface)"
                    stroke="var(--untrained)"
                    strokeWidth={2}
                  />
                ) : (
                  <circle
                    cx={cx}
                    cy={cy}
                    r={6}
                    fill={law.chosen ? "var(--trained)" : "var(--surface)"}
                    stroke="var(--trained)"
                    strokeWidth={2}
                  />
                )}
                {law === shown && (
                  <circle cx={cx} cy={cy} r={10} fill="none" stroke="var(--ink)" strokeWidth={2} />
                )}
                <title>{law.equation}</title>
              </g>
            );
          })}
        </svg>
      )}
      <p className="text-xs text-muted">
        ● chosen, ○ on the front, □ a rival{laws.some(({ yours }) => yours) && ", △ yours"}. Plainer
        to the left, nearer to the data below.
      </p>
    </div>
  );
}
