import type { Dump } from "./dump.ts";
import type { SuspendedFunction } from "./graph.ts";
import { groupStacks } from "./groups.ts";

/*
 * A dump on its way between threads: functions refer to each other by index. A chain of a hundred thousand of them,
 * each within the other, would be too deep for the algorithm that clones messages.
 */

type Flat = Omit<SuspendedFunction, "awaitedBy"> & { readonly awaitedBy: readonly number[] };

export interface FlatDump extends Omit<Dump, "graph" | "groups"> {
  readonly functions: readonly Flat[];
}

export function flatten({ reader, target, graph, warnings }: Dump): FlatDump {
  const indices = new Map(graph.functions.map((one, index) => [one, index] as const));
  const functions = graph.functions.map((one) => ({
    ...one,
    awaitedBy: one.awaitedBy.flatMap((awaiter) => indices.get(awaiter) ?? []),
  }));
  return { reader, target, warnings, functions };
}

export function inflate({ functions: flat, ...rest }: FlatDump): Dump {
  const lists = flat.map((): SuspendedFunction[] => []);
  const functions = flat.map((one, index) => ({ ...one, awaitedBy: lists[index] ?? [] }));
  for (const [index, { awaitedBy }] of flat.entries()) {
    for (const awaiter of awaitedBy) {
      const one = functions[awaiter];
      if (one !== undefined) lists[index]?.push(one);
    }
  }
  return { ...rest, graph: { functions }, groups: groupStacks(functions) };
}
