import type { Dump } from "./dump.ts";
import type { SuspendedFunction } from "./graph.ts";

/*
 * A dump on its way between threads: functions refer to each other by index. A chain of a hundred thousand of them,
 * each within the other, would be too deep for the algorithm that clones messages.
 */

type Flat = Omit<SuspendedFunction, "awaitedBy"> & { readonly awaitedBy: readonly number[] };

interface FlatGroup {
  readonly count: number;
  readonly frames: readonly number[];
}

export interface FlatDump extends Omit<Dump, "graph" | "groups"> {
  readonly functions: readonly Flat[];
  readonly groups: readonly FlatGroup[];
}

export function flatten({ graph, groups, ...rest }: Dump): FlatDump {
  const indices = new Map(graph.functions.map((one, index) => [one, index] as const));
  const toIndices = (functions: readonly SuspendedFunction[]): number[] =>
    functions.flatMap((one) => indices.get(one) ?? []);
  return {
    ...rest,
    functions: graph.functions.map((one) => ({ ...one, awaitedBy: toIndices(one.awaitedBy) })),
    groups: groups.map(({ count, frames }) => ({ count, frames: toIndices(frames) })),
  };
}

export function inflate({ functions: flat, groups, ...rest }: FlatDump): Dump {
  const lists = flat.map((): SuspendedFunction[] => []);
  const functions = flat.map((one, index) => ({ ...one, awaitedBy: lists[index] ?? [] }));
  const toFunctions = (indices: readonly number[]): SuspendedFunction[] =>
    indices.flatMap((index) => functions[index] ?? []);
  // One by one: a function may be awaited by more others than a call takes arguments.
  for (const [index, { awaitedBy }] of flat.entries())
    for (const awaiter of toFunctions(awaitedBy)) lists[index]?.push(awaiter);
  return {
    ...rest,
    graph: { functions },
    groups: groups.map(({ count, frames }) => ({ count, frames: toFunctions(frames) })),
  };
}
