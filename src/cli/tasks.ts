import { type Command, Option } from "commander";
import type { TaskAnswer, TasksAnswer } from "../agent/answers.ts";
import { clean } from "../inspect/words.ts";
import { toCount, toId } from "./arguments.ts";
import { ageOfTask, messageOf, particulars, shortPath, stateText } from "./task-text.ts";
import type { Told } from "./task-text.ts";
import { treeLines } from "./tree.ts";
import { addVerb, tell } from "./verb.ts";
import type { Page } from "./verb.ts";
import { age, table, timeOfDay } from "./words.ts";

const STATES = [
  "waiting", "running", "retrying", "cancelling", "succeeded", "failed", "cancelled", "lost", "abandoned",
]; // prettier-ignore

interface Flags {
  readonly state?: string;
  readonly name?: string;
  readonly only?: string;
  readonly limit: number;
  readonly json?: true;
}

/** `holdfast tasks PROCESS [TASK]`. */
export function addTasks(program: Command): void {
  const what = "list live tasks, then the newest that have ended; or tell all that is known of one";
  addVerb(program, "tasks", what, { ok: "printed", codes: ["HF_NO_TASK"] })
    .argument("[task]", "the id of one task, live or ended", toId)
    .addOption(new Option("--state <state>", "only those in this state").choices(STATES))
    .option("--name <name>", "only those of this name")
    .addOption(
      new Option("--only <which>", "only those that live, or that have ended").choices(["live", "ended"]),
    )
    .option("--limit <n>", "no more than so many", toCount, 50)
    .action((who: string, id: number | undefined, { state, name, only, limit, json }: Flags) =>
      id === undefined
        ? tell(who, "/tasks", { state, name, only, limit }, json === true, listLines)
        : tell(who, `/tasks/${id}`, {}, json === true, taskLines),
    );
}

const COLUMNS = [
  { title: "ID", right: true },
  { title: "STATE" },
  { title: "AGE", right: true },
  { title: "TASK" },
];

function listLines({ tasks, more, at }: TasksAnswer, { paint, width }: Page): string[] {
  if (tasks.length === 0) return ["no such task"];
  const cells = tasks.map((task) => {
    const about = particulars(task);
    const path = clean(width === undefined ? task.path : shortPath(task.path, width / 3));
    const words = about === "" ? path : `${path}  ${about}`;
    return [String(task.id), task.state, age(ageOfTask(task, at)), words];
  });
  const lines = table(COLUMNS, cells, {
    width,
    paint: (text, column, row) => {
      if (row === -1) return paint.heading(text);
      return column === 1 ? stateText(text, paint) : text;
    },
  });
  return more ? [...lines, paint.faint("… there are more: --limit")] : lines;
}

/** All that is known of one task, and what is below it. */
export function taskLines({ task, at }: TaskAnswer, page: Page): string[] {
  const { paint, width } = page;
  const room = width === undefined ? Infinity : Math.max(10, width - INDENT);
  const row = (title: string, text: string): string[] =>
    text === ""
      ? []
      : chunks(text, room).map(
          (part, line) => `${paint.faint((line === 0 ? title : "").padEnd(INDENT))}${part}`,
        );
  return [
    `${paint.name(clean(task.path))} ${paint.faint(`#${task.id}`)}`,
    `${paint.faint("state".padEnd(INDENT))}${stateText(task.state, paint)}`,
    ...row("age", `${age(ageOfTask(task, at))}, since ${timeOfDay(task.createdAt)}`),
    ...row("started", task.startedAt === undefined ? "not yet" : timeOfDay(task.startedAt)),
    ...row("ended", task.endedAt === undefined ? "" : timeOfDay(task.endedAt)),
    ...row("about", particulars({ ...task, ...NOTHING })),
    ...(task.attempts ?? []).flatMap(({ attempt, startedAt, endedAt, error }) =>
      row(
        `attempt ${attempt}`,
        `${age(endedAt - startedAt)}${error ? `: ${messageOf(error, task.path)}` : ""}`,
      ),
    ),
    ...errorLines(task).flatMap((line, first) => row(first === 0 ? "error" : "", line)),
    ...belowLines(task, at, page),
  ];
}

/** Where what is told of a task begins. */
const INDENT = 11;

/** A text in lines of at most so many characters. */
function chunks(text: string, length: number): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += length) parts.push(text.slice(at, at + length));
  return parts;
}

/** Told in lines of its own. */
const NOTHING = { error: undefined as never };

function errorLines({ error }: Told): string[] {
  const lines: string[] = [];
  let next = error;
  for (let depth = 0; next !== undefined && depth < 20; depth++, next = next.cause) {
    const text = next.stack ?? `${next.name}: ${next.message}`;
    lines.push(
      ...text
        .split("\n")
        .map((line, at) => (depth > 0 && at === 0 ? `caused by ${clean(line)}` : clean(line))),
    );
  }
  return lines;
}

function belowLines(task: TaskAnswer["task"], at: number, page: Page): string[] {
  if (task.tasks.length === 0 && task.scopes.length === 0 && task.omitted === undefined) return [];
  const { tasks, scopes, attributes, name, path, omitted } = task;
  const root = { tasks, scopes, attributes, name, path, state: "open" as const, ...(omitted && { omitted }) };
  return ["", ...treeLines({ schema: 1, at, roots: [root] }, page)];
}
