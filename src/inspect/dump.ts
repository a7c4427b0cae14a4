import type { AwaitGraph } from "./graph.ts";
import { groupStacks } from "./groups.ts";
import type { StackGroup } from "./groups.ts";
import { readMemory } from "./memory-reader.ts";
import { openTarget } from "./target.ts";

/** What is asked of a dump. */
export interface DumpOptions {
  /** Whose: a process id. @default this process */
  readonly pid?: number;
}

/** Where every suspended async function of a process waits, and who awaits whom. */
export interface Dump {
  /** What it was read with. */
  readonly reader: "memory";
  readonly target: DumpTarget;
  readonly graph: AwaitGraph;
  readonly groups: readonly StackGroup[];
  /** What could not be read for sure, in sentences. */
  readonly warnings: readonly string[];
}

/** Of which process a dump is. */
export interface DumpTarget {
  readonly pid: number;
  /** Its Node, as `24.1.0`; undefined where it does not say. */
  readonly node: string | undefined;
  readonly v8: string;
  readonly arch: string;
  /** Nothing ran in it while it was read. */
  readonly wasIdle: boolean;
}

/** Reads a process from where this runs: of another one, or of this one where it runs beside what it looks at. */
export function readDump(pid: number | "self"): Dump {
  const target = openTarget(pid);
  try {
    const { graph, agreed } = readMemory(target);
    const changing = graph.functions.filter(({ isChanging }) => isChanging).length;
    const lineless = graph.functions.filter(({ place }) => place === undefined).length;
    return {
      reader: "memory",
      target: {
        pid: pid === "self" ? process.pid : pid,
        node: target.node,
        v8: target.v8,
        arch: target.arch,
        wasIdle: agreed.wasIdle,
      },
      graph,
      groups: groupStacks(graph.functions),
      warnings: [
        ...(changing === 0 ? [] : [`${changing} functions changed while they were read: marked as changing`]),
        ...(lineless === 0 ? [] : [`of ${lineless} functions V8 has no lines`]),
      ],
    };
  } finally {
    target.memory.close();
  }
}
