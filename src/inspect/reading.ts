import { readInAgreement } from "./agreement.ts";
import type { Agreed } from "./agreement.ts";
import type { TaskLines } from "./await-line.ts";
import { heapsOfCanaries, isCanaryRight } from "./canary.ts";
import type { Dump } from "./dump.ts";
import { openDump } from "./flat-dump.ts";
import type { FlatDump } from "./flat-dump.ts";
import { openGraph } from "./graph-columns.ts";
import type { GraphColumns, Kind } from "./graph-columns.ts";
import { groupStacks } from "./groups.ts";
import { Heap } from "./heap.ts";
import { Isolates } from "./isolates.ts";
import { Keeper } from "./keeper.ts";
import { toGraph } from "./memory-reader.ts";
import { takePicture } from "./picture.ts";
import { statusOf } from "./process-status.ts";
import { Sites } from "./sites.ts";
import { readStopped } from "./stopped.ts";
import { taskLines } from "./task-lines.ts";
import { openTarget, refuseGone, toRefusal } from "./target.ts";
import type { Target } from "./target.ts";
import { refuseWrongCanary, verify } from "./verify.ts";

/** The script of the reader's own suspended function. A bundle in CommonJS has no URL, and no thread that reads. */
const CANARY = ((import.meta.url as string | undefined) ?? "").replace(/reading(\.[jt]s)$/, "canary$1");
/** A full collection of the reader's own may move its function in the moment in which it is looked at. */
const MAX_TRIES = 3;
/** Where the architecture is one that somebody has tried. */
const TRIED = "x64";

/**
 * Reads a process from the thread in which this is called: another process, or this one, whose other threads are then
 * looked at. Throws `InspectError`.
 */
export function readDump(pid: number | "self"): Dump {
  return openDump(readFlat(pid));
}

/** The same, as it goes from thread to thread. Throws `InspectError`. */
export function readFlat(pid: number | "self"): FlatDump {
  return grouped(read(pid, false));
}

/** Reads only the lines at which tasks of holdfast stand, as soon as can be. Throws `InspectError`. */
export function readTaskLines(pid: number | "self"): TaskLines[] {
  return taskLines(openGraph(read(pid, true).graph));
}

/** What was read, not yet grouped. */
type Reading = Omit<FlatDump, "groups">;

function grouped(reading: Reading): FlatDump {
  return { ...reading, groups: groupStacks(reading.graph) };
}

function read(pid: number | "self", isInHurry: boolean): Reading {
  return withTarget(pid, (target) => {
    let agreed = readInAgreement(target.memory, target.layout, isInHurry);
    for (
      let tries = 1;
      pid === "self" && !isCanaryRight(agreed.picture, CANARY) && tries < MAX_TRIES;
      tries++
    )
      agreed = readInAgreement(target.memory, target.layout, isInHurry);
    return toReading(target, agreed, []);
  });
}

/** Looks at a process once, to no purpose but that the code for it is compiled when time matters. */
export function warmUp(pid: number | "self"): void {
  withTarget(pid, ({ memory, layout }) => takePicture(memory, layout, new Sites()));
}

/** Reads another process while it is stopped. Rejects with `InspectError`. */
export async function readDumpStopped(pid: number): Promise<Dump> {
  return openDump(await readFlatStopped(pid));
}

/** Reads another process while it is stopped, for as long as each look at it takes. Rejects with `InspectError`. */
export async function readFlatStopped(pid: number): Promise<FlatDump> {
  const status = statusOf(pid);
  const target = openTarget(pid);
  try {
    // It does not move, and is not ours to wake.
    if (target.wasStopped)
      return grouped(toReading(target, readInAgreement(target.memory, target.layout), []));
    const keeper = await Keeper.start(pid);
    try {
      const { agreed, stops } = await readStopped(target, keeper);
      return grouped(toReading(target, agreed, stops));
    } finally {
      await keeper.close();
    }
  } catch (error) {
    throw toRefusal(pid, status, error);
  } finally {
    target.memory.close();
  }
}

function withTarget<T>(pid: number | "self", use: (target: Target) => T): T {
  const status = statusOfAny(pid);
  const target = openTarget(pid);
  try {
    return use(target);
  } catch (error) {
    throw status === undefined ? error : toRefusal(pid, status, error);
  } finally {
    target.memory.close();
  }
}

/** Before it is known whether there is such a process at all. */
function statusOfAny(pid: number | "self"): ReturnType<typeof statusOf> | undefined {
  return process.platform === "linux" && (pid === "self" || pid > 0) ? statusOf(pid) : undefined;
}

function toReading(target: Target, agreed: Agreed, stops: readonly number[]): Reading {
  refuseGone(target);
  const { pid, memory, layout, node, v8, arch, wasStopped } = target;
  const heap = new Heap(memory, layout);
  const isolates = new Isolates(heap);
  verify(heap, isolates, agreed);
  const readers = new Set<number | undefined>();
  if (pid === "self") {
    if (!isCanaryRight(agreed.picture, CANARY)) refuseWrongCanary();
    for (const owner of heapsOfCanaries(agreed.picture, CANARY)) readers.add(isolates.of(owner));
  }
  const graph = toGraph(agreed, isolates, readers);
  // What was read of the isolates may be of a process that was just ending.
  refuseGone(target);
  const changing = countOf(graph, ({ isChanging }) => isChanging);
  const lineless = countOf(graph, ({ place }) => place === undefined);
  return {
    reader: "memory",
    target: {
      pid: pid === "self" ? process.pid : pid,
      node,
      v8,
      arch,
      wasIdle: agreed.wasIdle,
      wasStopped,
      stops,
    },
    graph,
    warnings: [
      ...(arch === TRIED ? [] : [`nobody has tried this on ${arch}: the layout is the one in the table`]),
      ...(wasStopped
        ? ["the process is stopped, and was before: it does not run until it gets SIGCONT"]
        : []),
      ...(changing === 0 ? [] : [`${changing} functions changed while they were read: marked as changing`]),
      ...(agreed.mayMiss
        ? ["a collection came whenever it was read: what had begun to wait only just before may be missing"]
        : []),
      ...(lineless === 0 ? [] : [`of ${lineless} functions V8 has no lines`]),
    ],
  };
}

function countOf({ kinds, kind }: GraphColumns, isCounted: (kind: Kind) => boolean): number {
  const isOne = kinds.map(isCounted);
  let count = 0;
  for (const index of kind) if (isOne[index] === true) count++;
  return count;
}
