import { readInAgreement } from "./agreement.ts";
import type { Agreed } from "./agreement.ts";
import type { AwaitGraph, Suspension, SuspendedFunction } from "./graph.ts";
import type { FunctionInfo } from "./functions.ts";
import { Heap } from "./heap.ts";
import { Isolates } from "./isolates.ts";
import type { Suspended } from "./suspended.ts";
import type { Target } from "./target.ts";

/** A graph, and how it came about. */
export interface MemoryReading {
  readonly graph: AwaitGraph;
  readonly agreed: Agreed;
}

/** Fills a graph from the memory of a process. */
export function readMemory({ memory, layout }: Target): MemoryReading {
  const agreed = readInAgreement(memory, layout);
  return { graph: toGraph(agreed, new Heap(memory, layout)), agreed };
}

function toGraph({ seen, changing }: Agreed, heap: Heap): AwaitGraph {
  const isolates = new Isolates(heap).of([...seen.values()].map(({ raw }) => raw));
  const realms: number[] = [];
  const awaitedBy = new Map<number, SuspendedFunction[]>();
  const nodes = new Map<number, SuspendedFunction>();
  for (const [address, { raw, name, info, place, task }] of seen) {
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
      isolate: isolates.get(address) ?? 0,
      realm,
      awaitedBy: awaiters,
      isChanging: changing.has(address),
    });
  }
  for (const [address, { awaiters }] of seen) {
    for (const awaiter of awaiters) {
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
