import { describeError } from "./errors.ts";
import { now } from "./clock.ts";
import { enclosing, scopePath, taskInfo, totalOf } from "./describe.ts";
import type { ScopeNode, Tally } from "./scope-node.ts";
import type { TaskNode } from "./task-node.ts";
import { capture, captured } from "./wait.ts";
import type { Timer } from "./clock.ts";
import type { CloseReport, TaskInfo } from "./info.ts";

/** At most so many abandoned tasks, and so many errors, are listed in one report. */
const MAX_LISTED = 1000;

/** A close that was asked for: what it has seen so far, and who waits for its report. */
export class Closing {
  readonly scope: ScopeNode;
  readonly startedAt: number = now();
  /** The counts when it began: what ended before is not its own. */
  readonly base: Tally;
  readonly abandoned: TaskInfo[] = [];
  readonly errors: unknown[] = [];
  readonly promise: Promise<CloseReport>;
  readonly resolve: (report: CloseReport) => void;
  drainTimer: Timer | undefined = undefined;
  /** When the drain is over, on the clock of `now()`. */
  drainEndsAt = Infinity;
  grace = Infinity;
  readonly source: "scope" | "deadline";

  constructor(scope: ScopeNode, source: "scope" | "deadline") {
    this.scope = scope;
    this.source = source;
    this.base = totalOf(scope);
    if (scope.escalation !== undefined) this.errors.push(describeError(scope.escalation.error));
    this.promise = new Promise<unknown>(capture) as Promise<CloseReport>;
    this.resolve = captured.resolve;
  }

  /** Called when everything has ended: by then the tallies of what was below are the scope's own. */
  finish(): void {
    const { base } = this;
    const { tally } = this.scope;
    this.resolve({
      path: scopePath(this.scope),
      ms: Math.max(0, Math.round(now() - this.startedAt)),
      succeeded: tally.succeeded - base.succeeded,
      failed: tally.failed - base.failed,
      cancelled: tally.cancelled - base.cancelled,
      lost: tally.lost - base.lost,
      abandoned: this.abandoned,
      errors: this.errors,
    });
  }
}

/** Every close around this scope lists an abandoned task. */
export function noteAbandoned(node: TaskNode): void {
  let info: TaskInfo | undefined;
  for (let scope: ScopeNode | undefined = node.scope; scope !== undefined; scope = enclosing(scope)) {
    const { closing } = scope;
    if (closing !== undefined && closing.abandoned.length < MAX_LISTED)
      closing.abandoned.push((info ??= taskInfo(node)));
  }
}

/** Every close around this scope lists an error. */
export function noteError(from: ScopeNode, error: unknown): void {
  for (let scope: ScopeNode | undefined = from; scope !== undefined; scope = enclosing(scope)) {
    const { closing } = scope;
    if (closing !== undefined && closing.errors.length < MAX_LISTED)
      closing.errors.push(describeError(error));
  }
}
