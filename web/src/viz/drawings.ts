import type { Task } from "../episode/types";

export interface Point {
  x: number;
  y: number;
}

export interface Drawing {
  /** Where the body is, in the units of the data. */
  place(state: number[]): Point;
  /** Furniture: what holds or carries the body. */
  furniture(context: CanvasRenderingContext2D, body: Point, at: (point: Point) => Point): void;
  /** Points that must stay in view besides the trajectory. */
  anchors: Point[];
  /** Same scale on both axes. */
  square: boolean;
  /** The variables that say where the body is. */
  columns: number[];
}

const nothing = () => {};

/** The drawing of a task, by its system; a new system is drawn by the shape of its variables. */
export function drawingOf(task: Pick<Task, "variables" | "system_id">): Drawing {
  const names = task.variables.map((variable) => variable.name);
  const positions = task.variables.filter((v) =>
    names.some((_, i) => task.variables[i]?.rate_of === v.name),
  );
  const column = (name: string | undefined) => Math.max(0, names.indexOf(name ?? ""));
  if (task.variables.some((variable) => variable.unit === "rad" && variable.rate_of === null)) {
    return pendulum(column(task.variables.find((v) => v.unit === "rad")?.name));
  }
  if (positions.length === 2) {
    const [x, y] = [column(positions[0]?.name), column(positions[1]?.name)];
    return {
      place: (s) => ({ x: s[x] ?? 0, y: s[y] ?? 0 }),
      furniture: nothing,
      anchors: [],
      square: true,
      columns: [x, y],
    };
  }
  if (task.system_id.includes("spring")) return spring(column(positions[0]?.name));
  const moving = column(positions[0]?.name ?? names[0]);
  if (task.system_id.startsWith("free_fall")) {
    return {
      place: (s) => ({ x: 0, y: s[moving] ?? 0 }),
      furniture: nothing,
      anchors: [],
      square: false,
      columns: [moving],
    };
  }
  if (names.length >= 2 && positions.length === 0) {
    return {
      place: (s) => ({ x: s[0] ?? 0, y: s[1] ?? 0 }),
      furniture: nothing,
      anchors: [],
      square: false,
      columns: [0, 1],
    };
  }
  return {
    place: (s) => ({ x: 0, y: s[moving] ?? 0 }),
    furniture: nothing,
    anchors: [],
    square: false,
    columns: [moving],
  };
}

function pendulum(column: number): Drawing {
  return {
    place: (s) => ({ x: Math.sin(s[column] ?? 0), y: -Math.cos(s[column] ?? 0) }),
    furniture(context, body, at) {
      const pivot = at({ x: 0, y: 0 });
      context.beginPath();
      context.moveTo(pivot.x, pivot.y);
      context.lineTo(body.x, body.y);
      context.stroke();
      context.fillRect(pivot.x - 12, pivot.y - 3, 24, 3);
    },
    anchors: [
      { x: -1, y: 0.1 },
      { x: 1, y: -1.05 },
    ],
    square: true,
    columns: [column],
  };
}

function spring(column: number): Drawing {
  return {
    place: (s) => ({ x: s[column] ?? 0, y: 0 }),
    furniture(context, body) {
      const wall = 10;
      const coils = 14;
      context.fillRect(wall - 4, body.y - 22, 4, 44);
      context.beginPath();
      context.moveTo(wall, body.y);
      for (let i = 1; i < coils * 2; i++) {
        const x = wall + ((body.x - wall - 12) * i) / (coils * 2);
        context.lineTo(x, body.y + (i % 2 ? -8 : 8));
      }
      context.lineTo(body.x, body.y);
      context.stroke();
    },
    anchors: [],
    square: false,
    columns: [column],
  };
}
