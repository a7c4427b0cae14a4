import { toSettings } from "./settings.ts";
import type { ScopeNode } from "./scope-node.ts";
import { spawnInScope, spawnInTask } from "./spawn.ts";
import { handleOf } from "./task-handle.ts";
import { extrasOf, GROUP, TaskNode } from "./task-node.ts";
import type { GroupOptions } from "./options.ts";
import type { Run, Scope, Task } from "./types.ts";

/** Where something is spawned: in a scope, or as a child of a task. */
export type Place = ScopeNode | TaskNode;

/** Starts a group. Its body runs as the group's own task; its scope is made anew for each attempt. */
export function spawnGroup(
  place: Place,
  name: string,
  body: (group: Scope) => unknown,
  options: GroupOptions | undefined,
): Task<unknown> {
  const asked = options ?? {};
  const { concurrency, queue, onFull, grace } = asked;
  const around = place instanceof TaskNode ? place.scope : place;
  const settings = toSettings({ concurrency, queue, onFull, grace }, around.settings);
  // The body receives the scope in place of the task: `begin` sees to that.
  const run = body as unknown as Run<unknown>;
  const node =
    place instanceof TaskNode
      ? spawnInTask(place, name, run, asked, GROUP)
      : spawnInScope(place, name, run, asked, GROUP);
  extrasOf(node).groupSettings ??= settings;
  return handleOf(node);
}
