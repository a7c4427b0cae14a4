/*
 * One object on globalThis, under `Symbol.for("holdfast")`, by which all copies of holdfast in a process (two versions
 * in one dependency tree, a bundle beside a package) find each other. Its fields are additive: a copy leaves what it
 * does not know alone.
 */

import type { TaskLines } from "../inspect/await-line.ts";

/** What every copy can see. */
export interface Registry {
  /** The URL of each copy, in the order in which they were loaded. */
  readonly copies: string[];
  /** The name of the program whose `main()` runs, of whichever copy. */
  main?: string;
  /** Called by the guard thread, from inside whatever holds the main thread. Ends the process. */
  interrupt?: (why: Interruption) => never;
  /** What `holdfast/register` has begun, for a `main()` that does the same itself. */
  preload?: Released;
}

/** What lets go of its parts, for others to take them over. */
interface Released {
  releaseAgent(): Promise<void>;
  releaseWatch(): void;
}

/** What the guard thread asks of a main thread that did not end the process in time. */
export interface Interruption {
  /** The first signal, if there was one. */
  readonly signal?: string;
  /** The second signal, which was not dealt with; absent where the deadline is over. */
  readonly forcedBy?: string;
  readonly exitCode: number;
  /** At which lines tasks stand, as far as that is known. */
  readonly lines?: readonly TaskLines[];
}

const KEY = Symbol.for("holdfast");

/** The registry of this process, made on first need. */
export function registry(): Registry {
  const place = globalThis as { [KEY]?: Registry };
  if (place[KEY] === undefined) {
    // Not enumerable: it is nobody's global but ours.
    Object.defineProperty(globalThis, KEY, { value: { copies: [] } satisfies Registry, configurable: true });
  }
  return place[KEY] as Registry;
}

/**
 * Enters a copy, by the URL of its entry. The second one warns, once for the process: scopes, tasks and the ambient
 * functions of one copy are strangers to the other, and each shuts down only its own.
 */
export function announceCopy(url = "a bundle"): void {
  const { copies } = registry();
  // The same file again is a test runner that resets its modules.
  if (copies.includes(url)) return;
  copies.push(url);
  if (copies.length !== 2) return;
  process.emitWarning(`two copies of holdfast are loaded: ${copies.join(" and ")}`, {
    type: "HoldfastWarning",
    code: "HF_TWO_COPIES",
    detail:
      "A task of one is unknown to the other. Let the package manager install one version (npm dedupe).",
  });
}
