import { applyHeldTimeout } from "./expire.ts";
import { toMs } from "./duration.ts";
import { startHidden } from "./hidden.ts";
import { taskRefusal } from "./refusal.ts";
import { attemptSignal, stopErrorOf } from "./stop-signal.ts";
import { blockInUse, hasFailed, whyOver } from "./spawn.ts";
import { extrasOf, HIDDEN, SHIELD, stateOf, SUCCEEDED } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { Duration } from "./words.ts";
import { noop, rejected } from "./wait.ts";

/*
 * A timeout or a shield is a hidden child of the task it is written in: what is true of a child, its children, its
 * signal, its grace, is true of the block, and only what differs is said here.
 */

type Body<R> = (signal: AbortSignal) => PromiseLike<R>;

/** A deadline over a block and the children spawned in it. */
export function runTimeout<R>(task: TaskNode, duration: Duration, body: Body<R>): Promise<R> {
  const ms = toMs(duration, "timeout");
  const owner = blockInUse(task);
  const refusal = stopErrorOf(owner) ?? refusalOf(owner, "timeout");
  if (refusal !== undefined) return rejected(refusal);
  return run(owner, "timeout", 0, ms, body, noop);
}

/** Spares what is inside from cancellation and timeouts, until the end of grace. */
export function runShield<R>(task: TaskNode, body: Body<R>): Promise<R> {
  const owner = blockInUse(task);
  const refusal = refusalOf(owner, "shield");
  if (refusal !== undefined) return rejected(refusal);
  changeShields(owner, 1);
  return run(owner, "shield", SHIELD, undefined, body, () => {
    changeShields(owner, -1);
  });
}

/** Only what goes on has blocks: between two attempts, or where the end has begun, nobody would end them. */
function refusalOf(owner: TaskNode, name: string): Error | undefined {
  const word = whyOver(owner) ?? (hasFailed(owner) ? "has failed" : undefined);
  return word === undefined ? undefined : taskRefusal(owner, `${word}: no ${name} can begin in it`);
}

function run<R>(
  owner: TaskNode,
  name: string,
  flags: number,
  timeout: number | undefined,
  body: Body<R>,
  onEnd: () => void,
): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    const block: TaskNode = startHidden({
      scope: owner.scope,
      parent: owner,
      name,
      run: () => body(attemptSignal(block)),
      flags,
      timeout,
      timeoutKind: timeout === undefined ? "attempt" : "block",
      onEnd: (node) => {
        onEnd();
        if (stateOf(node) === SUCCEEDED) resolve(node.result as R);
        else {
          reject(node.result);
        }
      },
    });
  });
}

/** A timeout of the task, or of a block around the shield, that fires during a shield waits for its end. */
function changeShields(owner: TaskNode, by: 1 | -1): void {
  for (let node: TaskNode | undefined = owner; node !== undefined; node = node.parent) {
    extrasOf(node).shields += by;
    if ((node.flags & HIDDEN) === 0) break;
  }
  if (by === 1) return;
  for (let node: TaskNode | undefined = owner; node !== undefined; node = node.parent) {
    applyHeldTimeout(node);
    if ((node.flags & HIDDEN) === 0) break;
  }
}
