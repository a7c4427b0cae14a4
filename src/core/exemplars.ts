import { Ledger } from "./ledger.ts";
import { ScopeNode } from "./scope-node.ts";
import { toSettings } from "./settings.ts";
import { handleOf } from "./task-handle.ts";
import { TaskExtras, TaskNode } from "./task-node.ts";
import { TaskView } from "./task-view.ts";
import { noop, Wait } from "./wait.ts";

const kept: unknown[] = [];

/**
 * Keeps one object of each hot shape alive, outside of every list. V8 holds the hidden class of an object weakly from
 * its compiled code: after a full collection at a moment when no task lives, all code for tasks would be thrown away
 * and be slow (three times, measured) until it is compiled anew.
 */
export function keepShapes(): void {
  if (kept.length > 0) return;
  const scope = new ScopeNode("", undefined, undefined, new Ledger(1), toSettings({}, undefined));
  const plain = exemplar(scope, undefined);
  const rich = exemplar(scope, plain);
  rich.extras = new TaskExtras();
  kept.push(plain, rich, handleOf(plain), new Wait("value", plain, rich, noop, noop));
}

function exemplar(scope: ScopeNode, parent: TaskNode | undefined): TaskNode {
  const node = new TaskNode(1, "", scope, parent, noop, 0, 1);
  node.startedAt = 1;
  node.view = new TaskView(node);
  node.settled = Promise.resolve();
  node.resolve = node.reject = noop;
  return node;
}
