import { advanceTask, start } from "./attempt.ts";
import { advanceScope } from "./close.ts";
import { keepShapes } from "./exemplars.ts";
import { scopeViewOf } from "./group-scope.ts";
import { open } from "./open.ts";
import { ScopeView } from "./scope-view.ts";
import { TaskView } from "./task-view.ts";
import type { RootOptions } from "./options.ts";
import type { Scope } from "./types.ts";
import { bindUpward } from "./work.ts";

// Everything below knows the data and what is done with it; only here is known who shows it to the user.
bindUpward({
  advanceTask,
  advanceScope,
  start,
  viewOfTask: (node) => new TaskView(node),
  viewOfScope: (node) => new ScopeView(node),
});

/**
 * Opens a root scope: the owner of tasks and of further scopes. Close it, or it holds what is in it for ever.
 *
 * @throws RangeError for an option that cannot be.
 * @example
 * const app = openScope("courier", { grace: "2s" });
 * app.spawn("hello", async (task) => { await task.sleep("1s"); });
 * await app.close({ drain: "10s" });
 */
export function openScope(name: string, options: RootOptions = {}): Scope {
  keepShapes();
  return scopeViewOf(open(name, options, undefined));
}
