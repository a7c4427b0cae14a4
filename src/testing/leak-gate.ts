import { pendingTimers, untilTurn } from "../core/clock.ts";
import { describeTasks, scopePath, scopeState } from "../core/describe.ts";
import { roots } from "../core/roots.ts";
import type { ScopeNode } from "../core/scope-node.ts";

/** At most so many tasks of a leaked scope are named. */
const MAX_NAMED = 10;

/**
 * A check for the end of each test: it rejects when the test left a root scope open, a timer of holdfast set, or a
 * handle of the process (a socket, a server, a child process) that was not there when the gate was made.
 *
 * @example
 * import { afterEach } from "vitest";
 * afterEach(leakGate());
 */
export function leakGate(): () => Promise<void> {
  const known = new Set<ScopeNode>(roots);
  const timers = pendingTimers();
  let handles = countHandles();
  return async () => {
    // What the test has let go of may take a few turns to close.
    for (let turn = 0; turn < 3; turn++) await untilTurn();
    const leaks = [...leakedScopes(known), ...leakedTimers(timers), ...leakedHandles(handles)];
    // The next test answers for its own leaks only.
    for (const root of roots) known.add(root);
    handles = countHandles();
    if (leaks.length > 0) throw new Error(`the test left behind:\n  ${leaks.join("\n  ")}`);
  };
}

function* leakedScopes(known: ReadonlySet<ScopeNode>): Generator<string> {
  for (const root of roots) {
    if (known.has(root)) continue;
    const live: string[] = [];
    for (const task of describeTasks(root)) {
      if (task.endedAt !== undefined || live.length === MAX_NAMED) break;
      live.push(`${task.path} (${task.state})`);
    }
    yield `the scope ${scopePath(root)} (${scopeState(root)})${live.length === 0 ? "" : `: ${live.join(", ")}`}`;
  }
}

function* leakedTimers(before: number): Generator<string> {
  const count = pendingTimers() - before;
  if (count > 0) yield `${count} timers`;
}

/** What the process holds open, by kind; timers and immediates of the runner come and go, and are not counted. */
function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (kind === "Timeout" || kind === "Immediate" || kind === "TickObject") continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

function* leakedHandles(before: ReadonlyMap<string, number>): Generator<string> {
  for (const [kind, count] of countHandles()) {
    const more = count - (before.get(kind) ?? 0);
    if (more > 0) yield `${more} handles of kind ${kind}`;
  }
}
