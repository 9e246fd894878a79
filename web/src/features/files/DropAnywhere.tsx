import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { bundled } from "../../api/bundle";
import { DROPPED, LOCAL_FILE } from "../../shared/kept";
import { Failure } from "../../shared/parts";

const isLog = (file: File) => file.name.endsWith(".jsonl");

/** Takes a file that is dropped anywhere on the page: a log is replayed, anything else is taken for measurements. */
export function DropAnywhere() {
  const client = useQueryClient();
  const go = useNavigate();
  const [over, setOver] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const open = async (file: File) => {
      setError(null);
      if (isLog(file)) {
        const { readExport } = await import("../../episode/files");
        client.setQueryData(LOCAL_FILE, await readExport(file.name, file));
        go({ to: "/file" });
      } else if (bundled) {
        throw new Error(
          "This copy of the page has no server: it replays logs and reads no measurements.",
        );
      } else {
        client.setQueryData(DROPPED, file);
        go({ to: "/data" });
      }
    };
    const drag = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      const file = event.dataTransfer?.files[0];
      setOver(false);
      if (!file) return;
      event.preventDefault();
      open(file).catch((failure: unknown) =>
        setError(failure instanceof Error ? failure : new Error(String(failure))),
      );
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [client, go]);
  if (error)
    return (
      <div className="fixed inset-x-4 bottom-4 z-20 mx-auto max-w-xl">
        <Failure error={error} />
        <button type="button" className="button mt-2" onClick={() => setError(null)}>
          Close
        </button>
      </div>
    );
  if (!over) return null;
  return (
    <div
      className="pointer-events-none fixed inset-2 z-20 grid place-items-center rounded-lg"
      style={{
        border: "3px dashed var(--trained)",
        background: "color-mix(in srgb, var(--canvas) 80%, transparent)",
      }}
    >
      <p className="panel">Drop measurements to find their law, or an exported log to replay it</p>
    </div>
  );
}
