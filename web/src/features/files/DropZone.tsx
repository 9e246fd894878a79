import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { Failure } from "../../shared/parts";

/** Where the query cache keeps the episodes of the file that is open. */
export const LOCAL_FILE = ["local file"];

/** Takes exported files that are dropped onto a screen, or chosen in it. */
export function DropZone({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const go = useNavigate();
  const [error, setError] = useState<Error | null>(null);
  const [over, setOver] = useState(false);
  const open = async (file: File | undefined) => {
    if (!file) return;
    try {
      const { readExport } = await import("../../episode/files");
      client.setQueryData(LOCAL_FILE, await readExport(file.name, file));
      go({ to: "/file" });
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)));
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the file field below does the same by keyboard
    <div
      className="grid gap-4"
      style={over ? { outline: "2px dashed var(--trained)", outlineOffset: 8 } : undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        open(event.dataTransfer.files[0]);
      }}
    >
      {error && <Failure error={error} />}
      {children}
      <label className="text-muted">
        An exported file (JSONL): drop it anywhere here, or choose it
        <input
          className="field"
          type="file"
          accept=".jsonl"
          onChange={(event) => open(event.target.files?.[0])}
        />
      </label>
    </div>
  );
}
