import { advanceTask, bindView, start } from "./attempt.ts";
import { advanceScope } from "./close.ts";
import { givenMs, toCount, toName } from "./duration.ts";
import { keepShapes } from "./exemplars.ts";
import { bindScopeView, scopeViewOf } from "./group-scope.ts";
import { Ledger } from "./ledger.ts";
import { roots } from "./roots.ts";
import { ScopeNode } from "./scope-node.ts";
import { open, ScopeView } from "./scope-view.ts";
import { toSettings } from "./settings.ts";
import { TaskView } from "./task-view.ts";
import type { RootOptions } from "./options.ts";
import type { Scope } from "./types.ts";
import { bindUpward } from "./work.ts";

// Everything below knows the data and what is done with it; only here is known who shows it to the user.
bindUpward({ advanceTask, advanceScope, start });
bindView((node) => new TaskView(node));
bindScopeView((node) => new ScopeView(node));

const DEFAULT_RECORDS = 1000;

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
  toName(name, "name");
  const settings = toSettings(options, undefined);
  const timeout = givenMs(options.timeout, "timeout");
  const records = options.records === undefined ? DEFAULT_RECORDS : toCount(options.records, "records", 0);
  const node = new ScopeNode(name, undefined, undefined, new Ledger(records), settings);
  keepShapes();
  roots.add(node);
  open(node, timeout);
  return scopeViewOf(node);
}
