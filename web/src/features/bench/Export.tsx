import { type RefObject, useState } from "react";
import { exportAddress, reportAddress } from "../../api/client";
import type { EpisodeView, Followed } from "../../episode/types";
import { Menu } from "../../shared/Menu";
import { save } from "../../viz";
import { pictureOf, toPng } from "../../viz/picture";
import { provenance, toNotebook, toTable } from "./files";
import { type Candidate, constants, measured } from "./laws";

interface Props {
  figures: RefObject<HTMLDivElement | null>;
  episode: EpisodeView;
  law: Candidate;
  followed: Followed;
}

/** The bench as files: for a paper, a colleague, a program. */
export function Export({ figures, episode, law, followed }: Props) {
  const [said, setSaid] = useState("");
  const name = `${(episode.task.title || "law").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60)}-${episode.episode_id.slice(0, 8)}`;
  const text = (suffix: string, type: string, content: string) =>
    save(`${name}.${suffix}`, new Blob([content], { type }));
  const picture = async (suffix: "svg" | "png") => {
    if (!figures.current) return;
    const known = constants(law).map((row) => `${row.name} = ${measured(row.value, row.error)}`);
    const drawn = pictureOf(figures.current, {
      title: episode.task.title,
      lines: [[law.equation, ...known].join(", "), provenance(episode)],
    });
    try {
      save(
        `${name}.${suffix}`,
        suffix === "svg" ? new Blob([drawn.svg], { type: "image/svg+xml" }) : await toPng(drawn),
      );
    } catch {
      setSaid("The browser could not draw the PNG.");
    }
  };
  const items: { label: string; act: () => void }[] = [
    { label: "Figures as SVG", act: () => picture("svg") },
    { label: "Figures as PNG", act: () => picture("png") },
    { label: "All rows as CSV", act: () => text("csv", "text/csv", toTable(episode, followed)) },
    {
      label: "Notebook (Jupyter, SciPy)",
      act: () => text("ipynb", "application/x-ipynb+json", toNotebook(episode, law, followed)),
    },
  ];
  return (
    <div className="flex items-center gap-2">
      {said && <span className="text-xs text-danger">{said}</span>}
      <Menu label="Export" name="Files" edge="right">
        {(close) => (
          <>
            {items.map(({ label, act }) => (
              <button
                key={label}
                type="button"
                onClick={() => {
                  act();
                  close();
                }}
              >
                {label}
              </button>
            ))}
            {episode.status === "finished" && (
              <>
                <a
                  href={reportAddress(episode.episode_id, law.chosen ? undefined : law.equation)}
                  download
                >
                  Report (HTML, prints to PDF)
                </a>
                <a href={exportAddress([episode.episode_id])} download>
                  Episode as JSONL
                </a>
              </>
            )}
          </>
        )}
      </Menu>
    </div>
  );
}
