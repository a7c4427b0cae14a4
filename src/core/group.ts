import { given } from "./given.ts";
import { toSettings } from "./settings.ts";
import type { ScopeNode } from "./scope-node.ts";
import { spawnInScope, spawnInTask } from "./spawn.ts";
import { handleOf } from "./task-handle.ts";
import { extrasOf, GROUP } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import type { GroupOptions, ScopeOptions, SpawnOptions } from "./options.ts";
import type { Run, Scope, Task } from "./types.ts";

/** Where something is spawned: in a scope, or as a child of a task. */
export type Place = { readonly scope: ScopeNode } | { readonly task: TaskNode };

/** Starts a group. Its body runs as the group's own task; its scope is made anew for each attempt. */
export function spawnGroup(
  place: Place,
  name: string,
  body: (group: Scope) => unknown,
  options: GroupOptions | undefined,
): Task<unknown> {
  const { concurrency, queue, onFull, ...own } = options ?? {};
  const around = "scope" in place ? place.scope : place.task.scope;
  const bounds: ScopeOptions = given({ concurrency, queue, onFull, grace: own.grace });
  const settings = toSettings(bounds, around.settings);
  // The body receives the scope in place of the task: `begin` sees to that.
  const run = body as unknown as Run<unknown>;
  const spawnOptions: SpawnOptions = own;
  const node =
    "scope" in place
      ? spawnInScope(place.scope, name, run, spawnOptions, GROUP)
      : spawnInTask(place.task, name, run, spawnOptions, GROUP);
  extrasOf(node).groupSettings ??= settings;
  return handleOf(node);
}
