const MARGIN = 16;
const LINE = 18;
const LONGEST = 160;

/** What stands above a saved chart: its title, then lines such as the equation and where it comes from. */
export interface Caption {
  title: string;
  lines: string[];
}

/** A drawing that stands alone: colours resolved, no cursor, on a ground of its own. */
export interface Picture {
  svg: string;
  width: number;
  height: number;
}

/** Everything drawn as SVG within `box`, as one picture in the theme that is on the screen. */
export function pictureOf(box: HTMLElement, caption: Caption): Picture {
  const style = getComputedStyle(document.documentElement);
  const resolved = (text: string) =>
    text.replace(/var\((--[a-z-]+)\)/g, (_, name: string) => style.getPropertyValue(name).trim());
  const origin = box.getBoundingClientRect();
  const head = MARGIN + LINE * (1 + caption.lines.length) + 8;
  const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const width = Math.ceil(origin.width) + 2 * MARGIN;
  const height = Math.ceil(origin.height) + head + MARGIN;
  set(root, { width, height, "font-family": "system-ui, sans-serif" });
  const ground = document.createElementNS(root.namespaceURI, "rect");
  set(ground, { width, height, fill: "var(--surface)" });
  root.append(ground);
  [caption.title, ...caption.lines].forEach((line, i) => {
    const text = document.createElementNS(root.namespaceURI, "text");
    set(text, {
      x: MARGIN,
      y: MARGIN + 12 + LINE * i,
      "font-size": i === 0 ? 16 : 12,
      "font-weight": i === 0 ? 600 : 400,
      fill: i === 0 ? "var(--ink)" : "var(--muted)",
    });
    text.textContent = line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
    root.append(text);
  });
  for (const drawn of box.querySelectorAll("svg[role=img]")) {
    const place = drawn.getBoundingClientRect();
    const copy = drawn.cloneNode(true) as Element;
    for (const live of copy.querySelectorAll("[data-live]")) live.remove();
    for (const name of ["role", "tabindex", "style"]) copy.removeAttribute(name);
    set(copy, { x: MARGIN + place.left - origin.left, y: head + place.top - origin.top });
    root.append(copy);
  }
  return { svg: resolved(new XMLSerializer().serializeToString(root)), width, height };
}

function set(element: Element, attributes: Record<string, string | number>): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}

/** The same picture in pixels, two to each CSS pixel. */
export async function toPng({ svg, width, height }: Picture): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = 2 * width;
    canvas.height = 2 * height;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((done, failed) =>
      canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/png"),
    );
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Hands something to the browser as a file. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
