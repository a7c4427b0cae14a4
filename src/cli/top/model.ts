import type { InfoAnswer, TaskAnswer, TasksAnswer } from "../../agent/answers.ts";
import { ageOfTask } from "../task-text.ts";

/*
 * What `holdfast top` shows, and what keys do to it: data alone. view.ts makes lines of it, screen.ts knows the terminal,
 * top.ts asks the process.
 */

type Task = TasksAnswer["tasks"][number];

/** By what tasks are sorted, in the order in which `s` goes through it. */
const ORDERS = ["age", "name", "state", "attempt", "id"] as const;
type Order = (typeof ORDERS)[number];

/** Which tasks are shown, in the order in which `l` goes through it. */
const KINDS = ["live", "ended", "all"] as const;
type Kind = (typeof KINDS)[number];

/** All that is shown. */
export interface Model {
  readonly info: InfoAnswer | undefined;
  readonly tasks: readonly Task[];
  /** There are more tasks than were asked for. */
  readonly hasMore: boolean;
  /** When the process has told of them. */
  readonly at: number;
  readonly order: Order;
  readonly isReversed: boolean;
  readonly kind: Kind;
  readonly filter: string;
  /** Keys are taken as text for the filter, or as an answer, instead of as orders. */
  readonly mode: "orders" | "filter" | "confirm";
  readonly selected: number | undefined;
  /** The first row that is shown. */
  readonly top: number;
  /** How many rows there is room for. */
  readonly rows: number;
  /** The one task that is looked at in full. */
  readonly task: TaskAnswer | undefined;
  readonly looksAt: number | undefined;
  readonly scroll: number;
  readonly isPaused: boolean;
  /** What has become of what was asked for; gone with the next key. */
  readonly note: string;
  /** Why the process does not answer; empty while it does. */
  readonly trouble: string;
}

/** As it begins. */
export const EMPTY: Model = {
  info: undefined,
  tasks: [],
  hasMore: false,
  at: 0,
  order: "age",
  isReversed: false,
  kind: "live",
  filter: "",
  mode: "orders",
  selected: undefined,
  top: 0,
  rows: 18,
  task: undefined,
  looksAt: undefined,
  scroll: 0,
  isPaused: false,
  note: "",
  trouble: "",
};

/** A key, as `node:readline` tells it. */
export interface Key {
  readonly name?: string | undefined;
  readonly ctrl?: boolean | undefined;
  /** What was typed, where that is a character. */
  readonly text?: string | undefined;
}

/** What is to be done besides. */
export type Effect =
  { readonly do: "quit" } | { readonly do: "ask" } | { readonly do: "cancel"; readonly id: number };

/** The tasks that are shown, in their order. */
export function visibleTasks({ tasks, kind, filter, order, isReversed, at }: Model): readonly Task[] {
  const text = filter.toLowerCase();
  const isShown = (task: Task): boolean =>
    (kind === "all" || (kind === "live") === (task.endedAt === undefined)) &&
    (text === "" || haystack(task).includes(text));
  const by: Readonly<Record<Order, (a: Task, b: Task) => number>> = {
    age: (a, b) => ageOfTask(b, at) - ageOfTask(a, at),
    name: (a, b) => compare(a.path, b.path),
    state: (a, b) => compare(a.state, b.state),
    attempt: (a, b) => b.attempt - a.attempt,
    id: (a, b) => a.id - b.id,
  };
  const sorted = tasks.filter(isShown).toSorted((a, b) => by[order](a, b) || a.id - b.id);
  return isReversed ? sorted.toReversed() : sorted;
}

function haystack({ path, state, key, attributes, error }: Task): string {
  return [path, state, key ?? "", JSON.stringify(attributes), error?.message ?? ""].join(" ").toLowerCase();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** With what the process has told. The selected task stays so, wherever it has gone. */
export function told(model: Model, info: InfoAnswer, { tasks, more, at }: TasksAnswer): Model {
  return settled({ ...model, info, tasks, hasMore: more, at, trouble: "" }, model);
}

/** With something selected that is shown, and the rows moved so that it is. */
function settled(model: Model, before: Model = model): Model {
  const shown = visibleTasks(model);
  const isThere = shown.some(({ id }) => id === model.selected);
  // It has gone: what has come to its place is selected, not the first of all.
  const place = visibleTasks(before).findIndex(({ id }) => id === before.selected);
  const selected = isThere ? model.selected : shown[Math.min(Math.max(0, place), shown.length - 1)]?.id;
  const at = Math.max(
    0,
    shown.findIndex(({ id }) => id === selected),
  );
  const last = Math.max(0, shown.length - model.rows);
  const top = Math.min(last, Math.max(at - model.rows + 1, Math.min(model.top, at)));
  return { ...model, selected, top };
}

/** With room for so many rows. */
export function resized(model: Model, rows: number): Model {
  return settled({ ...model, rows: Math.max(1, rows) });
}

/** What a key does. */
export function pressed(model: Model, key: Key): readonly [Model, Effect?] {
  if (key.ctrl === true && key.name === "c") return [model, { do: "quit" }];
  const clear = { ...model, note: "" };
  if (model.mode === "filter") return [settled(typed(clear, key))];
  if (model.mode === "confirm") return answered(clear, key);
  return ordered(clear, key);
}

function typed(model: Model, { name, text, ctrl }: Key): Model {
  const { filter } = model;
  if (name === "return" || name === "enter") return { ...model, mode: "orders" };
  if (name === "escape") return { ...model, mode: "orders", filter: "" };
  if (name === "backspace") return { ...model, filter: filter.slice(0, -1) };
  if (ctrl === true && name === "u") return { ...model, filter: "" };
  return text === undefined || ctrl === true ? model : { ...model, filter: filter + text };
}

function answered(model: Model, { text }: Key): readonly [Model, Effect?] {
  const back: Model = { ...model, mode: "orders" };
  const id = taskInQuestion(model)?.id;
  if (text?.toLowerCase() !== "y" || id === undefined) return [{ ...back, note: "nothing was cancelled" }];
  return [
    { ...back, note: `cancelling #${id} …` },
    { do: "cancel", id },
  ];
}

function ordered(model: Model, key: Key): readonly [Model, Effect?] {
  const next = <T>(all: readonly T[], one: T): T => all[(all.indexOf(one) + 1) % all.length] as T;
  const isLooking = model.looksAt !== undefined;
  switch (key.name ?? key.text) {
    case "q":
      return isLooking ? [closed(model)] : [model, { do: "quit" }];
    case "escape":
    case "left":
    case "backspace":
      return isLooking ? [closed(model)] : [settled({ ...model, filter: "" })];
    case "return":
    case "enter":
    case "right":
      if (model.selected === undefined || isLooking) return [model];
      return [{ ...model, looksAt: model.selected, task: undefined, scroll: 0 }, { do: "ask" }];
    case "c":
      return [confirming(model)];
    case "p":
      return [{ ...model, isPaused: !model.isPaused }, { do: "ask" }];
    case "/":
      return isLooking ? [model] : [{ ...model, mode: "filter" }];
    case "s":
      return [settled({ ...model, order: next(ORDERS, model.order), top: 0 })];
    case "r":
      return [settled({ ...model, isReversed: !model.isReversed })];
    case "l":
      return [settled({ ...model, kind: next(KINDS, model.kind) }), { do: "ask" }];
    default:
      return [moved(model, key)];
  }
}

/** The task that orders are about: the one that is looked at, else the selected one. */
export function taskInQuestion({ looksAt, selected, task, tasks }: Model): Task | undefined {
  const id = looksAt ?? selected;
  return task !== undefined && task.task.id === id ? task.task : tasks.find((one) => one.id === id);
}

function confirming(model: Model): Model {
  const task = taskInQuestion(model);
  if (task === undefined) return model;
  if (task.endedAt !== undefined) return { ...model, note: `#${task.id} has ended: ${task.state}` };
  return { ...model, mode: "confirm" };
}

/** Back to the list. */
function closed(model: Model): Model {
  return { ...model, looksAt: undefined, task: undefined, scroll: 0 };
}

function moved(model: Model, { name, text }: Key): Model {
  const by = stepOf(name ?? text ?? "", model.rows);
  if (by === undefined) return model;
  if (model.looksAt !== undefined) return { ...model, scroll: Math.max(0, model.scroll + by) };
  const shown = visibleTasks(model);
  const at = shown.findIndex(({ id }) => id === model.selected);
  const to = Math.min(shown.length - 1, Math.max(0, at + by));
  return settled({ ...model, selected: shown[to]?.id });
}

function stepOf(key: string, page: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page, home: -1e6, end: 1e6,
  }; // prettier-ignore
  return steps[key];
}
