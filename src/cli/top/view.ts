import type { Paint } from "../../inspect/paint.ts";
import { clean, count, many } from "../../inspect/words.ts";
import { ageOfTask, particulars, shortPath, stateText } from "../task-text.ts";
import { taskLines } from "../tasks.ts";
import { age, cut, megabytes, table } from "../words.ts";
import { taskInQuestion, visibleTasks } from "./model.ts";
import type { Model } from "./model.ts";

/** Lines above and below the rows. */
export const FRAME = 5;

/** What a frame is drawn with. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly paint: Paint;
  /** Makes a line stand out. */
  readonly mark: (text: string) => string;
}

/** A whole screen: as many lines as it is high, none wider than it is. */
export function draw(model: Model, canvas: Canvas): string[] {
  const body = model.looksAt === undefined ? listLines(model, canvas) : lookLines(model, canvas);
  const room = canvas.height - FRAME + 1;
  const filled = [
    ...body.slice(0, room),
    ...Array.from({ length: Math.max(0, room - body.length) }, () => ""),
  ];
  return [...headLines(model, canvas), ...filled, footLine(model, canvas)].slice(0, canvas.height);
}

function headLines(model: Model, { width, paint }: Canvas): string[] {
  const { info, order, isReversed, kind, filter, mode, isPaused, hasMore, trouble } = model;
  if (info === undefined) return ["asking …", "", paint.warning(cut(clean(trouble), width))];
  const { name, pid, uptimeMs, node, tasks, findings, loop, memory } = info;
  const late = loop.delay === null ? "?" : `${loop.delay.p99.toFixed(1)} ms`;
  const state = info.roots.find((root) => root.state !== "open")?.state;
  const first = `${clean(name)}  pid ${pid}  up ${age(uptimeMs)}  Node ${node}${state === undefined ? "" : `  (${state})`}`;
  const second =
    `${many(tasks.live, "task")}, ${count(tasks.waiting)} waiting   ` +
    `${many(findings, "finding")}   loop p99 ${late}   ${megabytes(memory.rss)}`;
  const how = [
    hasMore ? `the first 1,000 of ${kind}` : kind,
    `by ${order}${isReversed ? ", reversed" : ""}`,
    ...(filter === "" && mode !== "filter"
      ? []
      : [`filter: ${clean(filter)}${mode === "filter" ? "_" : ""}`]),
    ...(isPaused ? ["paused"] : []),
  ].join("   ");
  return [
    paint.heading(cut(first, width)),
    findings > 0 ? paint.warning(cut(second, width)) : cut(second, width),
    trouble === "" ? paint.faint(cut(how, width)) : paint.warning(cut(clean(trouble), width)),
  ];
}

const COLUMNS = [
  { title: "ID", right: true },
  { title: "STATE" },
  { title: "AGE", right: true },
  { title: "TASK" },
];

function listLines(model: Model, { width, paint, mark }: Canvas): string[] {
  const shown = visibleTasks(model);
  const tasks = shown.slice(model.top, model.top + model.rows);
  if (tasks.length === 0) return ["", model.filter === "" ? "no task" : "no task is as the filter says"];
  const cells = tasks.map((task) => {
    const about = particulars(task);
    const path = clean(shortPath(task.path, width / 3));
    const old = age(ageOfTask(task, model.at));
    return [String(task.id), task.state, old, about === "" ? path : `${path}  ${about}`];
  });
  const plain = table(COLUMNS, cells, { width });
  const painted = table(COLUMNS, cells, {
    width,
    paint: (text, column, row) => {
      if (row === -1) return paint.heading(text);
      return column === 1 ? stateText(text, paint) : text;
    },
  });
  // The titles are the first line.
  return painted.map((line, at) =>
    at > 0 && tasks[at - 1]?.id === model.selected ? mark((plain[at] ?? "").padEnd(width)) : line,
  );
}

function lookLines({ task, looksAt, scroll }: Model, { width, height, paint }: Canvas): string[] {
  if (task === undefined) return ["", `asking for #${looksAt} …`];
  const lines = taskLines(task, { paint, width });
  const room = height - FRAME;
  const from = Math.min(scroll, Math.max(0, lines.length - room));
  return ["", ...lines.slice(from, from + room)];
}

function footLine(model: Model, { width, paint }: Canvas): string {
  if (model.mode === "confirm") {
    const { id, path = "" } = taskInQuestion(model) ?? {};
    return paint.warning(
      cut(`cancel ${clean(shortPath(path, width / 2))} #${id}?  y: yes, any other key: no`, width),
    );
  }
  if (model.note !== "") return cut(clean(model.note), width);
  if (model.mode === "filter") return paint.faint(cut("Enter: keep   Esc: no filter", width));
  return paint.faint(
    cut(
      model.looksAt === undefined
        ? "↑↓ move  ⏎ look  c cancel  / filter  s sort  r reverse  l ended  p pause  q quit"
        : "↑↓ scroll  c cancel  p pause  Esc back  Ctrl-C quit",
      width,
    ),
  );
}
