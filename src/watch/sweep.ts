import { now } from "../core/clock.ts";
import { toMs } from "../core/duration.ts";
import type { FindingWords } from "../core/info.ts";
import { letGo } from "../core/lost.ts";
import { REQUEST } from "../core/request.ts";
import type { FromRequest } from "../core/request.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { BODY_DONE, HIDDEN, RUNNING, SERVICE, stateOf } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import { visitTasks } from "../core/walk.ts";
import type { Recorder } from "./recorder.ts";
import { Growth } from "./growth.ts";
import type { WatchSettings } from "./options.ts";
import { Typical } from "./typical.ts";
import { inWords } from "./words.ts";

/** What takes a finding; called after the sweep, when the tree may change again. */
export type Report = (node: TaskNode, words: FindingWords) => void;

/**
 * Looks over the live tasks of a root, again and again. Of those that are younger than one sweep it takes no note; each
 * finding about a task is made once.
 */
export class Sweep {
  readonly #scope: ScopeNode;
  readonly #settings: WatchSettings;
  readonly #report: Report;
  readonly #recorder: Recorder | undefined;
  readonly #typical: Typical | undefined;
  readonly #growth: Growth | undefined;
  readonly #overdue = new WeakSet<TaskNode>();
  readonly #adrift = new WeakSet<TaskNode>();
  readonly #found: (readonly [TaskNode, FindingWords])[] = [];
  #at = 0;

  constructor(scope: ScopeNode, settings: WatchSettings, report: Report, recorder: Recorder | undefined) {
    this.#scope = scope;
    this.#settings = settings;
    this.#report = report;
    this.#recorder = recorder;
    const { overdue, growing } = settings;
    this.#typical = overdue && new Typical(scope.ledger, overdue);
    this.#growth = growing && new Growth(scope, growing);
  }

  run(): void {
    this.#at = now();
    this.#typical?.begin();
    visitTasks(this.#scope, this.#visit);
    this.#recorder?.flush();
    const grown = this.#growth?.look(this.#at) ?? [];
    for (const [node, words] of [...this.#found.splice(0), ...grown]) this.#report(node, words);
  }

  readonly #visit = (node: TaskNode): void => {
    const { sweep, lost, adriftAfter } = this.#settings;
    if (this.#at - node.createdAt < sweep) return;
    this.#recorder?.meet(node);
    if (stateOf(node) !== RUNNING) return;
    if (lost && (node.flags & BODY_DONE) === 0) letGo(node);
    if ((node.flags & (HIDDEN | SERVICE)) !== 0) return;
    if (this.#typical !== undefined) this.#isOverdue(node, this.#typical);
    if (adriftAfter !== undefined && node.extras !== undefined) this.#isAdrift(node, adriftAfter);
  };

  #isOverdue(node: TaskNode, typical: Typical): void {
    const expected = node.extras?.options?.expect;
    const age = this.#at - node.startedAt;
    const limit = expected === undefined ? typical.limitOf(node.name) : toMs(expected, "expect");
    if (age <= limit || this.#overdue.has(node)) return;
    this.#overdue.add(node);
    const than =
      expected === undefined
        ? `99 of 100 ${node.name} take less than ${inWords(typical.usualOf(node.name))}`
        : `it was expected to take ${inWords(limit)}`;
    this.#found.push([
      node,
      {
        finding: "overdue",
        what: `has been running for ${inWords(age)}, and ${than}`,
        advice: "give it a timeout, or say what it may take with `expect`",
      },
    ]);
  }

  #isAdrift(node: TaskNode, after: number): void {
    const request = (node.extras?.options as FromRequest | undefined)?.[REQUEST];
    if (request?.endedAt === undefined || this.#adrift.has(node)) return;
    const since = this.#at - request.endedAt;
    if (since <= after) return;
    this.#adrift.add(node);
    this.#found.push([
      node,
      {
        finding: "adrift",
        what: `still runs ${inWords(since)} after the end of the request that it was spawned in`,
        advice: "give it a timeout, or make it a job if it must not be lost",
      },
    ]);
  }
}
