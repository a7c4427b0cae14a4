import type { GraphColumns, Kind } from "./graph-columns.ts";
import type { SuspendedFunction } from "./graph.ts";

/** Stacks of awaits that read the same. */
export interface StackGroup {
  /** How many such stacks there are. */
  readonly count: number;
  /** Of one of them: the innermost function first, each awaited by the next. */
  readonly frames: readonly SuspendedFunction[];
}

/** The same, by rows of the graph. */
export interface RowGroup {
  readonly count: number;
  readonly frames: readonly number[];
}

/** No stack is longer: what is beyond is one of its own. */
const MAX_FRAMES = 1000;

/**
 * The stacks of awaits of a graph, grouped by what they read. A stack begins with each function that awaits no other
 * suspended function, and follows those who await. Where several await the same function, each has a stack of its own,
 * beginning with what they share. So every function is in a stack, and there are no more stacks than functions and
 * awaits. The largest groups come first.
 */
export function groupStacks(graph: GraphColumns): RowGroup[] {
  const groups = new Map<number, { count: number; readonly frames: readonly number[] }>();
  const texts = new Texts(graph);
  for (const frames of stacks(graph)) {
    const text = texts.of(frames);
    const group = groups.get(text);
    if (group === undefined) groups.set(text, { count: 1, frames });
    else group.count++;
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count || b.frames.length - a.frames.length);
}

/** A stack that was not followed to its end yet. */
type Open = readonly number[];

function* stacks({ kind, starts, awaiters }: GraphColumns): Generator<readonly number[]> {
  const { length } = kind;
  const isAwaiting = new Uint8Array(length);
  for (const awaiter of awaiters) isAwaiting[awaiter] = 1;
  const walk = new Walk(starts, awaiters, length);
  for (let row = 0; row < length; row++) if (isAwaiting[row] === 0) yield* walk.from(row);
  // Those that await one another in a circle have no beginning.
  for (let row = 0; row < length; row++) if (!walk.hasMet(row)) yield* walk.from(row);
}

/** Follows stacks through a graph. */
class Walk {
  readonly #starts: Int32Array;
  readonly #awaiters: Int32Array;
  readonly #isMet: Uint8Array;
  /** By row: the number of the stack on which it was last. */
  readonly #on: Int32Array;
  #number = 0;

  constructor(starts: Int32Array, awaiters: Int32Array, length: number) {
    this.#starts = starts;
    this.#awaiters = awaiters;
    this.#isMet = new Uint8Array(length);
    this.#on = new Int32Array(length);
  }

  hasMet(row: number): boolean {
    return this.#isMet[row] === 1;
  }

  *from(first: number): Generator<readonly number[]> {
    const open: Open[] = [[first]];
    for (let begun = open.pop(); begun !== undefined; begun = open.pop()) yield this.#follow(begun, open);
  }

  #follow(begun: Open, open: Open[]): readonly number[] {
    const frames = [...begun];
    const number = ++this.#number;
    for (const row of frames) this.#on[row] = number;
    for (let last = frames.at(-1) as number; frames.length < MAX_FRAMES; last = frames.at(-1) as number) {
      const from = this.#starts[last] as number;
      const to = this.#starts[last + 1] as number;
      // Met before: then the others have their stacks already.
      if (!this.hasMet(last)) this.#openOthers(from + 1, to, frames, open);
      this.#isMet[last] = 1;
      if (from === to) break;
      const next = this.#awaiters[from] as number;
      if (this.#on[next] === number) break;
      if (frames.length + 1 === MAX_FRAMES && !this.hasMet(next)) open.push([next]);
      this.#on[next] = number;
      frames.push(next);
    }
    return frames;
  }

  /** Of awaiters of the last frame, each that is not on this stack has one of its own. */
  #openOthers(from: number, to: number, frames: Open, open: Open[]): void {
    for (let at = from; at < to; at++) {
      const other = this.#awaiters[at] as number;
      if (this.#on[other] !== this.#number) open.push([...frames, other]);
    }
  }
}

/** Numbers for what stacks read like: those of which it is the same read the same. */
class Texts {
  readonly #kind: Int32Array;
  /** By kind: the number of what it reads like. */
  readonly #words: readonly number[];
  readonly #count: number;
  /** By the number of a text and of the word that goes on from there: the number of that longer text. */
  readonly #longer = new Map<number, number>();

  constructor({ kinds, kind }: GraphColumns) {
    const words = new Map<string, number>();
    this.#kind = kind;
    this.#words = kinds.map((one) => {
      const word = wordOf(one, one.path);
      const known = words.get(word);
      if (known === undefined) words.set(word, words.size);
      return known ?? words.size - 1;
    });
    this.#count = words.size;
  }

  of(frames: readonly number[]): number {
    let text = 0;
    for (const row of frames) {
      const key = text * this.#count + (this.#words[this.#kind[row] as number] as number);
      let longer = this.#longer.get(key);
      if (longer === undefined) this.#longer.set(key, (longer = this.#longer.size + 1));
      text = longer;
    }
    return text;
  }
}

/** What a function reads like: those of which it is the same are alike, but for the object that they are. */
export function wordOf(one: Omit<Kind, "path">, path: string | undefined): string {
  const { name, script, place, suspension, isGenerator, isolate, realm, isChanging } = one;
  const at = place === undefined ? "?" : `${place.line}:${place.column}`;
  const kind = `${isGenerator ? "*" : ""}${suspension}${isChanging ? "~" : ""}`;
  // Tasks of one name are alike; their ids and keys are not what is asked for.
  return `${isolate}.${realm} ${path ?? ""} ${kind} ${name} ${script.url ?? ""}:${at}\n`;
}
