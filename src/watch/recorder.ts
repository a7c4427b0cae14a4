import { toWall } from "../core/clock.ts";
import { attemptOf, taskPath } from "../core/describe.ts";
import { given } from "../core/given.ts";
import type { Progress } from "../core/info.ts";
import { CLOSING } from "../core/scope-node.ts";
import { ABANDONED, HIDDEN, JOURNALED, stateName, stateOf } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { Journal } from "./journal/writer.ts";

/** What of a task was written last, where it may change. */
interface Written {
  attempt: number;
  progress: Progress | undefined;
}

/** Tells the crash journal which tasks live: those that a sweep meets, and at once those that ask for it. */
export class Recorder {
  readonly #journal: Journal;
  readonly #written = new WeakMap<TaskNode, Written>();
  #isClean = true;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** A sweep has met a task. */
  meet(node: TaskNode): void {
    if ((node.flags & HIDDEN) !== 0) return;
    if ((node.flags & JOURNALED) === 0) this.#begin(node);
    else if (node.extras !== undefined) this.#change(node);
  }

  /** A task that is to be known on disk at once was spawned. */
  spawned(node: TaskNode): void {
    this.#begin(node);
    this.#journal.flush();
  }

  /** A task that was told of has ended. */
  ended(node: TaskNode): void {
    // What would not stop at the end still runs when the process ends: that is to be told.
    if (stateOf(node) === ABANDONED && node.scope.state >= CLOSING) {
      this.#isClean = false;
      return;
    }
    this.#journal.ended(node.id, stateName(node));
    if (node.extras?.options?.record === "journal") this.#journal.flush();
  }

  flush(): void {
    this.#journal.flush();
  }

  /** The root is closed. */
  close(): void {
    this.#journal.close(this.#isClean);
  }

  #begin(node: TaskNode): void {
    node.flags |= JOURNALED;
    const { id, extras } = node;
    const attempt = attemptOf(node);
    this.#journal.began(
      given({
        id,
        path: taskPath(node),
        createdAt: toWall(node.createdAt),
        startedAt: attempt === 0 ? undefined : toWall(node.startedAt),
        attempt,
        key: extras?.key,
        progress: extras?.progress,
      }),
    );
    if (extras !== undefined) this.#written.set(node, { attempt, progress: extras.progress });
  }

  #change(node: TaskNode): void {
    const attempt = attemptOf(node);
    const progress = node.extras?.progress;
    const written = this.#written.get(node);
    if (written === undefined) this.#written.set(node, { attempt, progress });
    else if (written.attempt === attempt && written.progress === progress) return;
    else Object.assign(written, { attempt, progress });
    this.#journal.changed(
      node.id,
      given({ attempt, startedAt: attempt === 0 ? undefined : toWall(node.startedAt), progress }),
    );
  }
}
