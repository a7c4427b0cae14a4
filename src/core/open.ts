import { beginClose } from "./close.ts";
import { callLater } from "./clock.ts";
import { scopePath } from "./describe.ts";
import { givenMs, toCount, toName } from "./duration.ts";
import { TaskTimeoutError } from "./errors.ts";
import { emitState } from "./events.ts";
import { Ledger } from "./ledger.ts";
import { scopeRefusal } from "./refusal.ts";
import { roots } from "./roots.ts";
import { OPEN, ScopeNode } from "./scope-node.ts";
import { toSettings } from "./settings.ts";
import type { RootOptions } from "./options.ts";

const DEFAULT_RECORDS = 1000;

/** Opens a scope inside another, or a root. Throws `ScopeClosedError` where the other takes nothing more. */
export function open(name: string, options: RootOptions, parent: ScopeNode | undefined): ScopeNode {
  toName(name, "name");
  const settings = toSettings(options, parent?.settings);
  const timeout = givenMs(options.timeout, "timeout");
  const { records = DEFAULT_RECORDS } = options;
  const ledger = parent?.ledger ?? new Ledger(toCount(records, "records", 0));
  const node = new ScopeNode(name, parent, undefined, ledger, settings);
  if (parent === undefined) roots.add(node);
  else link(node, parent);
  if (settings.isCancelAll) node.failures = [];
  if (timeout !== undefined) node.timeoutTimer = callLater(timeout, scopeTimeIsUp, { node, timeout });
  emitState(node);
  return node;
}

function link(node: ScopeNode, parent: ScopeNode): void {
  if (parent.state !== OPEN) throw scopeRefusal(parent, ": no scope can be opened in it");
  node.prev = parent.scopes;
  if (parent.scopes !== undefined) parent.scopes.next = node;
  parent.scopes = node;
}

function scopeTimeIsUp({ node, timeout }: { readonly node: ScopeNode; readonly timeout: number }): void {
  const reason = new TaskTimeoutError(scopePath(node), "scope", timeout);
  void beginClose(node, { source: "deadline", drain: 0, grace: Infinity, reason });
}
