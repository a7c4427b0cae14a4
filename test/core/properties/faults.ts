import type { Cleanup, Settle, Thrown, ThenableKind } from "./program.ts";

/** An error that user code made itself. */
export class Fault extends Error {
  override readonly name = "Fault";
}

class Unreadable extends Error {
  override get name(): string {
    throw new Fault("name");
  }
  override get message(): string {
    throw new Fault("message");
  }
  override get stack(): string {
    throw new Fault("stack");
  }
  override get cause(): unknown {
    throw new Fault("cause");
  }
  get code(): string {
    throw new Fault("code");
  }
}

const shared = new Fault("shared");
let made = 0;

/** A value to throw. Objects are new ones, but for `shared`. */
export function valueOf(what: Thrown): unknown {
  switch (what) {
    case "error":
      return new Fault(`fault ${++made}`);
    case "undefined":
      return undefined;
    case "null":
      return null;
    case "string":
      return `thrown ${++made}`;
    case "frozen":
      return Object.freeze(new Fault(`frozen ${++made}`));
    case "getters":
      return new Unreadable();
    case "abort":
      return Object.assign(new Error(`aborted ${++made}`), { name: "AbortError" });
    case "shared":
      return shared;
    case "cause":
      return new Error(`caused ${++made}`, { cause: new Fault("cause") });
  }
}

/** What a thenable does last, as its maker knows it. */
export type Settled = { readonly how: "returned" | "threw"; readonly value: unknown };

/** A thenable that is not a promise. `settled` is called when it settles for the first time. */
export function thenableOf(
  kind: ThenableKind,
  later: (fire: () => void) => void,
  settled: (end: Settled) => void,
): PromiseLike<unknown> {
  const error = valueOf("error");
  if (kind === "getter-throws") {
    settled({ how: "threw", value: error });
    return Object.defineProperty({}, "then", {
      get() {
        throw error;
      },
    }) as PromiseLike<unknown>;
  }
  const then = (
    resolve?: ((value: unknown) => unknown) | null,
    reject?: ((error: unknown) => unknown) | null,
  ): void => {
    if (kind === "then-throws") {
      settled({ how: "threw", value: error });
      throw error;
    }
    if (kind === "never") return;
    later(() => {
      settled({ how: "returned", value: kind });
      resolve?.(kind);
      if (kind === "twice") resolve?.("again");
      reject?.(error);
    });
    // After it has promised to settle: too late to count, by the rules of promises only if it has settled already.
    if (kind === "late-throw") {
      settled({ how: "threw", value: error });
      throw error;
    }
  };
  return { then } as PromiseLike<unknown>;
}

/** A clean-up function, with what it is to do when called. */
export function cleanupOf(cleanup: Cleanup, sleep: (ms: number) => Promise<void>): () => unknown {
  const error = valueOf(cleanup.what);
  return () => {
    switch (cleanup.kind) {
      case "ok":
        return undefined;
      case "throw":
        throw error;
      case "reject":
        return Promise.reject(error);
      case "slow":
        return sleep(cleanup.ms);
      case "hang":
        return new Promise(() => {});
    }
  };
}

/** A promise that somebody else started. */
export function foreignPromise(kind: Settle, later: (fire: () => void) => void): PromiseLike<unknown> {
  if (kind === "never") return new Promise(() => {});
  const error = valueOf("error");
  return new Promise((resolve, reject) => {
    later(() => {
      if (kind === "error") reject(error);
      else resolve(kind);
      if (kind === "twice") reject(error);
    });
  });
}
