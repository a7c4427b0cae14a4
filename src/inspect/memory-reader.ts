import type { Agreed } from "./agreement.ts";
import type { AwaitGraph, Suspension, SuspendedFunction } from "./graph.ts";
import type { FunctionInfo } from "./functions.ts";
import type { Isolates } from "./isolates.ts";
import type { Suspended } from "./suspended.ts";

/** Makes a graph of what was read; without those functions whose isolate is the reader's own. */
export function toGraph(
  { seen, changing }: Agreed,
  isolates: Isolates,
  readers: ReadonlySet<number | undefined>,
): AwaitGraph {
  const realms: number[] = [];
  const awaitedBy = new Map<number, SuspendedFunction[]>();
  const nodes = new Map<number, SuspendedFunction>();
  for (const [address, { raw, name, info, place, task }] of seen) {
    const isolate = isolates.of(address);
    // What is not in the heap of its map is a copy, in a buffer of whoever reads memory.
    if (isolate === undefined || readers.has(isolate) || isolate !== isolates.of(raw.map)) continue;
    let realm = realms.indexOf(raw.map);
    if (realm < 0) realm = realms.push(raw.map) - 1;
    const awaiters: SuspendedFunction[] = [];
    awaitedBy.set(address, awaiters);
    nodes.set(address, {
      name,
      isGenerator: raw.isGenerator,
      suspension: suspensionOf(raw, info),
      script: info.script,
      place,
      task,
      isolate,
      realm,
      awaitedBy: awaiters,
      isChanging: changing.has(address),
    });
  }
  for (const address of nodes.keys()) {
    for (const awaiter of seen.get(address)?.awaiters ?? []) {
      const node = nodes.get(awaiter);
      if (node !== undefined) awaitedBy.get(address)?.push(node);
    }
  }
  return { functions: [...nodes.values()] };
}

/** Generators and modules have a first stop before their first statement; an async function runs up to its first await. */
function suspensionOf(
  { isGenerator, isAwaiting, continuation }: Suspended,
  { isModule }: FunctionInfo,
): Suspension {
  if (continuation === 0 && (isGenerator || isModule)) return "start";
  return isAwaiting ? "await" : "yield";
}
