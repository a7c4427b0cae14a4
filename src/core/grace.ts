import { clearTimer, setTimerAt, Timer } from "./clock.ts";
import { HIDDEN, isTerminal } from "./task-node.ts";
import type { Stop, TaskNode } from "./task-node.ts";

/** Its own grace, in ms. A hidden block has that of its task. */
export function graceOf(node: TaskNode): number {
  let task = node;
  while ((task.flags & HIDDEN) !== 0 && task.extras?.grace === undefined && task.parent !== undefined)
    task = task.parent;
  return task.extras?.grace ?? task.scope.settings.grace;
}

/** One timer for all tasks whose grace ends in the same millisecond: one cancel may reach a hundred thousand. */
export class GraceTimer extends Timer {
  readonly #tasks: TaskNode[] = [];
  readonly #isOver: (node: TaskNode) => void;
  #live = 0;

  constructor(isOver: (node: TaskNode) => void) {
    super();
    this.#isOver = isOver;
  }

  add(node: TaskNode): void {
    this.#tasks.push(node);
    this.#live++;
  }

  /** One of them needs it no more; without any it is off the clock. */
  leave(): void {
    if (--this.#live === 0) clearTimer(this);
  }

  onTime(): void {
    for (const node of this.#tasks) if (node.stop?.grace === this && !isTerminal(node)) this.#isOver(node);
  }
}

let newest: GraceTimer | undefined;

/** Calls `isOver` for the task at a moment, in whole ms, in place of what was to call it before. */
export function setGrace(node: TaskNode, stop: Stop, endsAt: number, isOver: (node: TaskNode) => void): void {
  clearGrace(stop);
  if (newest === undefined || newest.when !== endsAt || !newest.isSet) {
    newest = new GraceTimer(isOver);
    setTimerAt(newest, endsAt);
  }
  newest.add(node);
  stop.grace = newest;
}

/** Its grace does not end any more. */
export function clearGrace(stop: Stop | undefined): void {
  if (stop?.grace === undefined) return;
  stop.grace.leave();
  stop.grace = undefined;
}
