import type { SuspendedFunction } from "./graph.ts";
import { wordOf } from "./groups.ts";

/** Functions that stand at the same place of the tree and read the same. */
export interface TreeNode {
  /** How many they are; one of them is shown. */
  readonly members: readonly SuspendedFunction[];
  readonly depth: number;
}

/**
 * The logical tree of a graph: at the top who is awaited by nobody, below each what it waits for. It is made while it
 * is walked: a graph may be as deep as it has functions. A function that several await is told of below each of them,
 * but what it waits for only below the first.
 */
export class Tree {
  readonly #awaited = new Map<SuspendedFunction, SuspendedFunction[]>();
  readonly #expanded = new Set<SuspendedFunction>();
  readonly #words = new Map<SuspendedFunction, string>();
  readonly #functions: readonly SuspendedFunction[];

  constructor(functions: readonly SuspendedFunction[]) {
    this.#functions = functions;
    for (const one of functions) {
      for (const awaiter of one.awaitedBy) {
        const others = this.#awaited.get(awaiter);
        if (others === undefined) this.#awaited.set(awaiter, [one]);
        else others.push(one);
      }
    }
  }

  /** The top, without those functions for which `isSkipped` holds: what these wait for comes in their place. */
  roots(isSkipped: (one: SuspendedFunction) => boolean): TreeNode[] {
    const open = this.#functions.filter(({ awaitedBy }) => awaitedBy.length === 0);
    const met = new Set(open);
    const roots: SuspendedFunction[] = [];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      const below = this.#awaited.get(one);
      if (below === undefined || !isSkipped(one)) roots.push(one);
      else {
        for (const other of below) {
          if (met.has(other)) continue;
          met.add(other);
          open.push(other);
        }
      }
    }
    return this.#merge([...roots.reverse(), ...this.#inCircles(open.concat([...met]))], 0);
  }

  /** What the functions of a node wait for; undefined where all of that has been told before. */
  below({ members, depth }: TreeNode): TreeNode[] | undefined {
    const fresh = members.filter((one) => !this.#expanded.has(one));
    for (const one of fresh) this.#expanded.add(one);
    const awaited = new Set(fresh.flatMap((one) => this.#awaited.get(one) ?? []));
    if (fresh.length === 0 && members.some((one) => this.#awaited.has(one))) return undefined;
    return this.#merge([...awaited], depth + 1);
  }

  /** All whose own wait, or what waits for them, leads to one of these. */
  around(functions: readonly SuspendedFunction[]): Set<SuspendedFunction> {
    const found = new Set(functions);
    follow(found, ({ awaitedBy }) => awaitedBy);
    const below = new Set(functions);
    follow(below, (one) => this.#awaited.get(one) ?? []);
    for (const one of below) found.add(one);
    return found;
  }

  /** One of each circle of functions that await one another: from no root can they be reached. */
  #inCircles(from: readonly SuspendedFunction[]): SuspendedFunction[] {
    const reached = new Set(from);
    const awaited = (one: SuspendedFunction): readonly SuspendedFunction[] => this.#awaited.get(one) ?? [];
    follow(reached, awaited);
    const found: SuspendedFunction[] = [];
    for (const one of this.#functions) {
      if (reached.has(one)) continue;
      found.push(one);
      const more = new Set([one]);
      follow(more, awaited);
      for (const other of more) reached.add(other);
    }
    return found;
  }

  #merge(functions: readonly SuspendedFunction[], depth: number): TreeNode[] {
    const nodes = new Map<string, SuspendedFunction[]>();
    for (const one of functions) {
      const word = this.#wordOf(one);
      const members = nodes.get(word);
      if (members === undefined) nodes.set(word, [one]);
      else members.push(one);
    }
    return [...nodes.values()]
      .map((members) => ({ members, depth }))
      .toSorted((a, b) => b.members.length - a.members.length);
  }

  #wordOf(one: SuspendedFunction): string {
    let word = this.#words.get(one);
    if (word === undefined) this.#words.set(one, (word = wordOf(one, one.task?.path)));
    return word;
  }
}

/** Adds to a set all that can be reached from it. A set that grows while it is walked is walked to its new end. */
function follow(
  from: Set<SuspendedFunction>,
  next: (one: SuspendedFunction) => readonly SuspendedFunction[],
): void {
  for (const one of from) for (const other of next(one)) from.add(other);
}
