import type { Dump } from "./dump.ts";
import { openGraph } from "./graph-columns.ts";
import type { GraphColumns } from "./graph-columns.ts";
import type { RowGroup } from "./groups.ts";

/** A dump as readers make it, and as it goes from thread to thread: what refers to a function does so by its row. */
export interface FlatDump extends Omit<Dump, "graph" | "groups"> {
  readonly graph: GraphColumns;
  readonly groups: readonly RowGroup[];
}

/** What of a graph is handed over to another thread, and not copied. */
export function buffersOf({ kind, task, starts, awaiters }: GraphColumns): ArrayBuffer[] {
  return [kind, task, starts, awaiters].map(({ buffer }) => buffer);
}

export function openDump({ graph: columns, groups, ...rest }: FlatDump): Dump {
  const graph = openGraph(columns);
  return {
    ...rest,
    graph,
    groups: groups.map(({ count, frames }) => ({
      count,
      frames: frames.flatMap((row) => graph.functions[row] ?? []),
    })),
  };
}
