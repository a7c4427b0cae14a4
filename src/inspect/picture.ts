import { Awaiters } from "./awaiters.ts";
import { Functions } from "./functions.ts";
import type { FunctionInfo } from "./functions.ts";
import { Heap } from "./heap.ts";
import type { Layout } from "./layout.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { Place } from "./scripts.ts";
import { scan } from "./suspended.ts";
import type { Suspended } from "./suspended.ts";
import type { TaskName } from "./tasks.ts";

/** A suspended function, with all that is known of it. */
export interface Seen {
  readonly raw: Suspended;
  readonly name: string;
  readonly info: FunctionInfo;
  readonly place: Place | undefined;
  readonly awaiters: ReadonlySet<number>;
  /** The task of holdfast whose function it is, or under which it is awaited. */
  readonly task: TaskName | undefined;
}

/** What one look at the heap has shown. */
export interface Picture {
  readonly seen: ReadonlyMap<number, Seen>;
  /** How many candidates did not hold together: on an idle process none. */
  readonly torn: number;
}

/** Looks at the heap once. On a process that runs, parts of the picture may be from different moments. */
export function takePicture(memory: ProcessMemory, layout: Layout): Picture {
  memory.forget();
  const heap = new Heap(memory, layout);
  const found = scan(heap);
  const functions = new Functions(heap);
  const awaiters = new Awaiters(heap, functions, found);
  const seen = new Map<number, Seen>();
  let torn = 0;
  // The map grows while it is walked: an awaiter that the scan has not met is looked at, too.
  for (const raw of found.values()) {
    const info = functions.of(raw.closure);
    if (info === undefined) {
      torn++;
      continue;
    }
    const place = functions.placeOf(info, raw.bytecodeOffset);
    const name = functions.nameOf(raw.closure, info);
    seen.set(raw.address, { raw, name, info, place, awaiters: awaiters.of(raw), task: awaiters.taskOf(raw) });
  }
  return { seen, torn };
}
