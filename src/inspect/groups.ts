import type { SuspendedFunction } from "./graph.ts";

/** Stacks of awaits that read the same. */
export interface StackGroup {
  /** How many such stacks there are. */
  readonly count: number;
  /** Of one of them: the innermost function first, each awaited by the next. */
  readonly frames: readonly SuspendedFunction[];
}

/** No stack is longer: what is beyond is one of its own. */
const MAX_FRAMES = 1000;

/**
 * The stacks of awaits of a graph, grouped by what they read. A stack begins with each function that awaits no other
 * suspended function, and follows those who await. Where several await the same function, each has a stack of its own,
 * beginning with what they share. So every function is in a stack, and there are no more stacks than functions and
 * awaits. The largest groups come first.
 */
export function groupStacks(functions: readonly SuspendedFunction[]): StackGroup[] {
  const groups = new Map<string, { count: number; readonly frames: readonly SuspendedFunction[] }>();
  const words = new Words();
  for (const frames of stacks(functions)) {
    const key = words.of(frames);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { count: 1, frames });
    else group.count++;
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count || b.frames.length - a.frames.length);
}

function* stacks(functions: readonly SuspendedFunction[]): Generator<SuspendedFunction[]> {
  const awaiting = new Set<SuspendedFunction>();
  for (const { awaitedBy } of functions) for (const awaiter of awaitedBy) awaiting.add(awaiter);
  const met = new Set<SuspendedFunction>();
  for (const one of functions) if (!awaiting.has(one)) yield* stacksFrom(one, met);
  // Those that await one another in a circle have no beginning.
  for (const one of functions) if (!met.has(one)) yield* stacksFrom(one, met);
}

function* stacksFrom(first: SuspendedFunction, met: Set<SuspendedFunction>): Generator<SuspendedFunction[]> {
  const open: SuspendedFunction[][] = [[first]];
  for (let frames = open.pop(); frames !== undefined; frames = open.pop()) {
    const on = new Set(frames);
    for (let last = frames.at(-1); last !== undefined && frames.length < MAX_FRAMES;) {
      const [next, ...others]: readonly SuspendedFunction[] = last.awaitedBy;
      // Met before: then the others have their stacks already.
      if (!met.has(last)) for (const other of others) open.push([...frames, other]);
      met.add(last);
      if (next === undefined || on.has(next)) break;
      if (frames.length + 1 === MAX_FRAMES && !met.has(next)) open.push([next]);
      on.add(next);
      frames.push(next);
      last = next;
    }
    yield frames;
  }
}

/** What a stack reads like, as one string; that of each function is made once. */
class Words {
  readonly #words = new Map<SuspendedFunction, string>();

  of(frames: readonly SuspendedFunction[]): string {
    let key = "";
    for (const frame of frames) {
      let word = this.#words.get(frame);
      if (word === undefined) this.#words.set(frame, (word = wordOf(frame)));
      key += word;
    }
    return key;
  }
}

/** What a function reads like: those of which it is the same are alike, but for the object that they are. */
export function wordOf(one: SuspendedFunction): string {
  const { name, script, place, suspension, isGenerator, task, isolate, realm, isChanging } = one;
  const at = place === undefined ? "?" : `${place.line}:${place.column}`;
  const kind = `${isGenerator ? "*" : ""}${suspension}${isChanging ? "~" : ""}`;
  // Tasks of one name are alike; their ids and keys are not what is asked for.
  return `${isolate}.${realm} ${task?.path ?? ""} ${kind} ${name} ${script.url ?? ""}:${at}\n`;
}
