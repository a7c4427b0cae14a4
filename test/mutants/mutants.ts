/** One line of the core broken: what stands there, exactly once, and what is put in its place. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** Each breaks something that an invariant holds. `npm run test:mutants` must see the property tests fail on each. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "cancel: a second cancel is a cancel again",
    file: "src/core/cancel.ts",
    find: "  node.flags |= CANCEL_ASKED;\n  const error = (",
    replace: "  const error = (",
  },
  {
    name: "cancel: does not reach the children of a task",
    file: "src/core/cancel.ts",
    find: "  for (let child = node.children; child !== undefined; child = child.prev) open.push(child);\n  const group",
    replace: "  const group",
  },
  {
    name: "cancel: a task cancelled before its first turn runs all the same",
    file: "src/core/attempt.ts",
    find: "  if (state !== WAITING && state !== RETRYING) return;\n",
    replace: "",
  },
  {
    name: "cancel: does not reach the child scopes of a closing scope",
    file: "src/core/cancel.ts",
    find: "    for (let child = next.scopes; child !== undefined; child = child.prev) scopes.push(child);\n",
    replace: "",
  },
  {
    name: "children: live on when the body throws",
    file: "src/core/attempt.ts",
    find: "  for (const child of listed(node.children)) cancelTask(child, demand);\n",
    replace: "",
  },
  {
    name: "children: a task does not wait for its children",
    file: "src/core/attempt.ts",
    find: "(node.flags & ENDING) !== 0 || node.children !== undefined) return;",
    replace: "(node.flags & ENDING) !== 0) return;",
  },
  {
    name: "groups: a failed child does not fail its group",
    file: "src/core/settle.ts",
    find: "if (!collector.failures.includes(error)) collector.failures.push(error);",
    replace: "",
  },
  {
    name: "groups: a failure in a group is delivered like any other",
    file: "src/core/settle.ts",
    find: "  if (collector?.failures !== undefined) {",
    replace: "  if (collector?.failures !== undefined && collector.owner === undefined) {",
  },
  {
    name: "grace: never ends",
    file: "src/core/cancel.ts",
    find: "if (stop.grace === undefined || endsAt < stop.grace.when) setGrace(",
    replace: "if (endsAt < 0) setGrace(",
  },
  {
    name: "shield: spares nothing",
    file: "src/core/cancel.ts",
    find: "  if (isTerminal(node) || (node.flags & SHIELD) !== 0) return;",
    replace: "  if (isTerminal(node)) return;",
  },
  {
    name: "retry: one attempt too many",
    file: "src/core/finish.ts",
    find: "attempt >= retry.attempts ||",
    replace: "attempt > retry.attempts ||",
  },
  {
    name: "retry: also after a cancel",
    file: "src/core/finish.ts",
    find: "(node.flags & (CANCEL_ASKED | GIVING_UP)) !== 0",
    replace: "(node.flags & GIVING_UP) !== 0",
  },
  {
    name: "keys: never freed",
    file: "src/core/admission.ts",
    find: "scope.keys.delete(key);",
    replace: "{}",
  },
  {
    name: "keys: a replacer does not wait for the one before it",
    file: "src/core/admission.ts",
    find: "extras.predecessor !== undefined || extras.delayTimer",
    replace: "extras.delayTimer",
  },
  {
    name: "limits: one slot too many",
    file: "src/core/admission.ts",
    find: "=== 0 && scope.slotsUsed < scope.settings.concurrency;",
    replace: "=== 0 && scope.slotsUsed <= scope.settings.concurrency;",
  },
  {
    name: "limits: a slot is freed twice",
    file: "src/core/admission.ts",
    find: "    node.flags &= ~HOLDS_SLOT;\n    scope.slotsUsed--;",
    replace: "    node.flags &= ~HOLDS_SLOT;\n    scope.slotsUsed -= 2;",
  },
  {
    name: "limits: a bound by key is never given back",
    file: "src/core/admission.ts",
    find: "    pool.used--;",
    replace: "",
  },
  {
    name: "limits: a rate lets one too many start",
    file: "src/core/limits.ts",
    find: "if (over < 0) return 0;",
    replace: "if (over <= 0) return 0;",
  },
  {
    name: "delivery: also to onError where somebody awaits",
    file: "src/core/delivery.ts",
    find: "if (!always && (node.flags & AWAITED) !== 0) continue;",
    replace: "",
  },
  {
    name: "delivery: a handler that throws has handled it",
    file: "src/core/delivery.ts",
    find: "  } catch (own) {\n    onFailure(own);",
    replace: "  } catch {\n    return;",
  },
  {
    name: "delivery: from the second scope on",
    file: "src/core/delivery.ts",
    find: "for (let scope = from; scope !== undefined;",
    replace: "for (let scope = from && enclosing(from); scope !== undefined;",
  },
  {
    name: "delivery: a sleep that is cancelled is an unhandled rejection",
    file: "src/core/wait.ts",
    find: "    if (this.promise !== undefined) void thenOf(this.promise, undefined, noop);\n",
    replace: "",
  },
  {
    name: "defers: first in, first out",
    file: "src/core/cleanup.ts",
    find: "cleanups.pop()",
    replace: "cleanups.shift()",
  },
  {
    name: "defers: a scope is closed before its clean-up has run",
    file: "src/core/close.ts",
    find: "  scope.isCleaning = true;\n",
    replace: "  closed(scope);\n",
  },
  {
    name: "drain: takes work from anybody",
    file: "src/core/room.ts",
    find: "  if (scope.state !== DRAINING) return scope.state === OPEN;",
    replace: "  if (scope.state <= DRAINING) return true;\n  if (scope.state > DRAINING) return false;",
  },
  {
    name: "deadlock: nobody looks for a cycle",
    file: "src/core/deadlock.ts",
    find: "  if (isTerminal(target)) return undefined;",
    replace: "  if (target !== undefined) return undefined;",
  },
  {
    name: "records: the ring forgets to turn",
    file: "src/core/ledger.ts",
    find: "this.#at = at + 1 === this.#size ? 0 : at + 1;",
    replace: "this.#at = at + 1 === this.#size ? 0 : at;",
  },
  {
    name: "records: what ended in a closed scope is not counted",
    file: "src/core/close.ts",
    find: " else addTally(around.tally, scope.tally);",
    replace: "",
  },
  {
    name: "signals: the listener on an external signal stays",
    file: "src/core/signals.ts",
    find: '  signal.removeEventListener("abort", hub.listener);\n',
    replace: "",
  },
  {
    name: "timers: that of a deadline stays",
    file: "src/core/settle.ts",
    find: "  clearTimer(extras.deadlineTimer);\n",
    replace: "",
  },
  {
    name: "timers: the heap loses its order",
    file: "src/core/clock.ts",
    find: "return a.when < b.when ||",
    replace: "return a.when > b.when ||",
  },
  {
    name: "services: restart although they are cancelled",
    file: "src/core/service.ts",
    find: "return (node.flags & CANCEL_ASKED) === 0 &&",
    replace: "return",
  },
  {
    name: "lost: a lost task has failed like any other",
    file: "src/core/lost.ts",
    find: "node.flags |= BODY_DONE | IS_LOST;",
    replace: "node.flags |= BODY_DONE;",
  },
  {
    name: "abandon: those who wait for what was given up wait on",
    file: "src/core/settle.ts",
    find: "if (node.waiters !== undefined) tellWaiters(",
    replace: "if (node.waiters !== undefined && state !== ABANDONED) tellWaiters(",
  },
  {
    name: "waits: what slept in a task sleeps on after its end",
    file: "src/core/settle.ts",
    find: "  if (node.waits !== undefined) endWaits(node);\n",
    replace: "",
  },
];
