import type { ErrorInfo, TaskBranch } from "../agent/answers.ts";
import type { Paint } from "../inspect/paint.ts";
import { clean, count } from "../inspect/words.ts";
import { age, attributesText } from "./words.ts";

/** What is told of a task, wherever. */
export type Told = Omit<TaskBranch, "tasks" | "scopes">;

/** A state, in the colour that it deserves. */
export function stateText(state: string, paint: Paint): string {
  if (state === "running") return paint.task(state);
  if (state === "succeeded" || state === "waiting") return paint.faint(state);
  return state === "cancelled" ? state : paint.warning(state);
}

/** For how long it has lived, or had when it ended. */
export function ageOfTask({ createdAt, endedAt }: Told, at: number): number {
  return Math.max(0, (endedAt ?? at) - createdAt);
}

/** What went wrong with a task, where its path is told anyway. */
export function messageOf({ message }: ErrorInfo, path: string): string {
  return clean(message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message);
}

/** A path that has to share a line: `…/recipient/deliver`, its last two parts, where it is longer than so much. */
export function shortPath(path: string, length: number): string {
  if (path.length <= length) return path;
  const parts = path.split("/");
  return parts.length <= 2 ? path : `…/${parts.slice(-2).join("/")}`;
}

/** What is special about a task: `attempt 3, 30/200 pages, key mail:7, url=http://…`; empty where nothing is. */
export function particulars(task: Told): string {
  const { attempt, progress, key, attributes, error } = task;
  const words = [
    attempt > 1 ? `attempt ${attempt}` : "",
    progress === undefined ? "" : progressText(progress),
    error === undefined ? "" : messageOf(error, task.path),
    key === undefined ? "" : `key ${clean(key)}`,
    attributesText(attributes),
  ];
  return words.filter((word) => word !== "").join(", ");
}

/** `30/200 pages` */
export function progressText({ done, total, note }: NonNullable<Told["progress"]>): string {
  const far = total === undefined ? count(done) : `${count(done)}/${count(total)}`;
  return note === undefined ? far : `${far} ${clean(note)}`;
}

/** `running 4.2 s` */
export function lifeText(task: Told, at: number, paint: Paint): string {
  return `${stateText(task.state, paint)} ${age(ageOfTask(task, at))}`;
}

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Empty for one without a name. */
  readonly function: string;
}

/** Where a function waits: `take lock.ts:8:24`. */
export function placeText({ function: name, file, line, column }: Place): string {
  return `${name === "" ? "" : `${clean(name)} `}${clean(file)}:${line}:${column}`;
}
