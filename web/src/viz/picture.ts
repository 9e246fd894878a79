const MARGIN = 16;
const LINE = 18;
const MOST_ROWS = 4; // of one line of a caption
/** Of what is written into a picture: the height of a row, and how wide a letter is at most on the average. */
const ROW = 16;
const GLYPH = 6.6;

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

/** Text in lines of at most `width` characters, no more than `most` lines; an ellipsis stands for what is left. */
export function wrapped(text: string, width: number, most: number): string[] {
  const limit = Math.max(1, Math.floor(width));
  const lines = text.split("\n").flatMap((paragraph) => {
    const rows = [""];
    for (const word of paragraph.split(" ").flatMap((long) => pieces(long, limit))) {
      const last = rows.at(-1) ?? "";
      if (last === "") rows[rows.length - 1] = word;
      else if (last.length + 1 + word.length <= limit) rows[rows.length - 1] = `${last} ${word}`;
      else rows.push(word);
    }
    return rows;
  });
  if (lines.length <= most) return lines;
  const kept = lines.slice(0, most);
  return kept.map((line, i) => (i === most - 1 ? `${line.slice(0, limit - 1)}…` : line));
}

const pieces = (word: string, limit: number): string[] =>
  word.length <= limit ? [word] : [word.slice(0, limit), ...pieces(word.slice(limit), limit)];

/**
 * Everything drawn as SVG within `box`, as one picture in the theme that is on the screen. What an element says in
 * `data-written` is written in its place, since typeset maths and other HTML have no place in a picture.
 */
export function pictureOf(box: HTMLElement, caption: Caption): Picture {
  const style = getComputedStyle(document.documentElement);
  const rem = Number.parseFloat(style.fontSize) || 16;
  // Not every program that opens an SVG knows a page's variables, or what a rem is.
  const resolved = (text: string) =>
    text
      .replace(/var\((--[a-z-]+)\)/g, (_, name: string) => style.getPropertyValue(name).trim())
      .replace(
        /font-size="([\d.]+)rem"/g,
        (_, size: string) => `font-size="${Number(size) * rem}"`,
      );
  const origin = box.getBoundingClientRect();
  const letters = origin.width / GLYPH;
  const said = [caption.title, ...caption.lines.flatMap((one) => wrapped(one, letters, MOST_ROWS))];
  const head = MARGIN + LINE * said.length + 8;
  const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const width = Math.ceil(origin.width) + 2 * MARGIN;
  const height = Math.ceil(origin.height) + head + MARGIN;
  set(root, { width, height, "font-family": "system-ui, sans-serif" });
  const ground = document.createElementNS(root.namespaceURI, "rect");
  set(ground, { width, height, fill: "var(--surface)" });
  root.append(ground);
  said.forEach((line, i) => {
    const text = document.createElementNS(root.namespaceURI, "text");
    set(text, {
      x: MARGIN,
      y: MARGIN + 12 + LINE * i,
      "font-size": i === 0 ? 16 : 12,
      "font-weight": i === 0 ? 600 : 400,
      fill: i === 0 ? "var(--ink)" : "var(--muted)",
    });
    text.textContent = line;
    root.append(text);
  });
  for (const told of box.querySelectorAll<HTMLElement>("[data-written]")) {
    const place = told.getBoundingClientRect();
    const most = Math.max(1, Math.floor(place.height / ROW));
    const words = told.dataset.written ?? "";
    // What stands there as it is has room.
    const whole = words === told.textContent;
    const lines = whole ? [words] : wrapped(words, place.width / GLYPH, most);
    lines.forEach((line, i) => {
      const text = document.createElementNS(root.namespaceURI, "text");
      set(text, {
        x: MARGIN + place.left - origin.left,
        y: head + place.top - origin.top + ROW * (i + 1) - 3,
        "font-size": 12,
        "font-weight": i === 0 && !whole ? 600 : 400,
        fill: "var(--ink)",
      });
      text.textContent = line;
      root.append(text);
    });
  }
  for (const drawn of box.querySelectorAll("svg[role=img], svg[data-sample]")) {
    const place = drawn.getBoundingClientRect();
    const copy = drawn.cloneNode(true) as Element;
    for (const live of copy.querySelectorAll("[data-live]")) live.remove();
    for (const name of ["role", "tabindex", "style", "class"]) copy.removeAttribute(name);
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
