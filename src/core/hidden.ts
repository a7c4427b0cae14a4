import { addBusy } from "./busy.ts";
import { coarseNow } from "./clock.ts";
import type { ScopeNode } from "./scope-node.ts";
import { BUSY, COLLECTED, extrasOf, HIDDEN, SERVICE, TaskNode, visibleTask } from "./task-node.ts";
import { upward } from "./work.ts";

/** What runs as a task, but is none for the outside: a block of a task, or a clean-up. */
export interface Hidden {
  readonly scope: ScopeNode;
  readonly parent: TaskNode | undefined;
  readonly name: string;
  readonly run: () => unknown;
  readonly flags: number;
  readonly timeout?: number | undefined;
  readonly timeoutKind: "block" | "cleanup" | "attempt";
  readonly grace?: number;
  readonly onEnd: (node: TaskNode) => void;
}

/** Makes a hidden task, which starts in a microtask. */
export function startHidden(hidden: Hidden): TaskNode {
  const { scope, parent } = hidden;
  const flags = hidden.flags | HIDDEN | COLLECTED;
  const node = new TaskNode(0, hidden.name, scope, parent, hidden.run, flags, coarseNow());
  const extras = extrasOf(node);
  extras.timeout = hidden.timeout;
  extras.timeoutKind = hidden.timeoutKind;
  extras.grace = hidden.grace;
  extras.onEnd = hidden.onEnd;
  link(node);
  upward.start(node);
  return node;
}

/** Puts a task into its owner's list. From here on it is owned. */
export function link(node: TaskNode): void {
  const { parent, scope } = node;
  let last: TaskNode | undefined;
  if (parent === undefined) {
    last = scope.tasks;
    scope.tasks = node;
  } else {
    last = parent.children;
    parent.children = node;
  }
  if (last !== undefined) {
    node.prev = last;
    last.next = node;
  }
  if (isBusy(node)) {
    node.flags |= BUSY;
    addBusy(scope);
  }
}

/** A drain waits for what is nobody's service, and for what a service has started or shields. */
function isBusy(node: TaskNode): boolean {
  const { parent, flags } = node;
  if (parent === undefined) return (flags & (SERVICE | HIDDEN)) === 0;
  if ((parent.flags & (SERVICE | HIDDEN)) === 0 || node.extras?.timeoutKind === "block") return false;
  return (visibleTask(parent).flags & SERVICE) !== 0;
}
