import { nextTurn } from "../../core/clock.ts";
import type { EngineClock } from "../engine.ts";
import { EngineError } from "../errors.ts";
import type { Changes, Connection } from "./connection.ts";
import { isBusy, toEngineError } from "./failure.ts";

/** `read` changes nothing; `soft` may be taken back by a loss of power, though it was acknowledged; `hard` may not. */
export type Kind = "read" | "soft" | "hard";

/** An operation that was begun, and waits for its transaction. */
interface Operation {
  readonly kind: Kind;
  /** About how many rows it writes. */
  readonly weight: number;
  apply(): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
  value: unknown;
  /** When it met a lock that another process holds. */
  blockedAt: number | undefined;
}

/** What an operation answers with that refuses before it has written anything: the others go on. */
export class Refusal {
  readonly error: Error;
  constructor(error: Error) {
    this.error = error;
  }
}

/** How much may wait to be written: more than that is refused, as it would only grow. */
const MAX_WAITING = 100_000;
/** How much goes into one transaction, which runs in one go on the event loop. */
const MAX_TOGETHER = 5_000;
/** Pauses before asking again for a lock that another process holds, in ms. */
const FIRST_PAUSE = 1;
const MAX_PAUSE = 25;

/** What it is about, and whom it tells. */
interface CommitsOptions {
  readonly engine: string;
  readonly clock: EngineClock;
  /** Ask the disk before acknowledging. */
  readonly isDurable: boolean;
  /** How long to ask for a lock that another process holds, in ms. */
  readonly busyFor: number;
  /** A transaction was committed that changed this. */
  readonly onChange: (changes: Changes) => void;
}

/**
 * Group commit: all that is begun in one turn of the event loop goes into one transaction, in the order in which it was
 * begun, and is acknowledged when that is stored. So the price of a commit, which is most of all, is paid once for
 * many. Where one fails, all are taken back, and done again in two halves, until the guilty one is alone.
 */
export class Commits {
  readonly #connection: Connection;
  readonly #options: CommitsOptions;
  #waiting: Operation[] = [];
  #weight = 0;
  #isScheduled = false;
  #isBlocked = false;
  #pause = FIRST_PAUSE;
  #isClosed = false;
  #untilEmpty: (() => void) | undefined;

  constructor(connection: Connection, options: CommitsOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Begins an operation. `apply` runs within a transaction, and again where that one was rolled back. */
  run<T>(kind: Kind, weight: number, apply: () => T | Refusal): Promise<T> {
    if (this.#isClosed)
      return Promise.reject(new EngineError("HF_ENGINE_CLOSED", this.#options.engine, "it was closed"));
    if (this.#weight > 0 && this.#weight + weight > MAX_WAITING)
      return Promise.reject(
        new EngineError(
          "HF_ENGINE_BUSY",
          this.#options.engine,
          `${this.#weight} writes wait already: begin fewer at once`,
        ),
      );
    return new Promise((resolve, reject) => {
      this.#weight += weight;
      this.#waiting.push({
        kind,
        weight,
        apply,
        resolve,
        reject,
        value: undefined,
        blockedAt: this.#isBlocked ? this.#options.clock.now() : undefined,
      });
      this.#schedule();
    });
  }

  /** Lets nothing more begin; resolves when all that has begun is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#waiting.length === 0) return;
    await new Promise<void>((resolve) => (this.#untilEmpty = resolve));
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isBlocked) return;
    this.#isScheduled = true;
    nextTurn(() => {
      this.#isScheduled = false;
      if (!this.#isBlocked) this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#take();
    if (batch.length === 0) return;
    const done: Operation[] = [];
    // Halves that are still to be done, the first at the end.
    const parts: Operation[][] = [batch];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const outcome = this.#apply(part);
      if (outcome === "done") done.push(...part);
      else if (outcome === "busy") {
        this.#block([...part, ...parts.toReversed().flat()]);
        break;
      } else if (part.length === 1 || outcome.isCommon)
        for (const operation of part) operation.reject(outcome.error);
      else {
        const half = part.length >> 1;
        parts.push(part.slice(half), part.slice(0, half));
      }
    }
    for (const { value, resolve, reject } of done) {
      if (value instanceof Refusal) reject(value.error);
      else resolve(value);
    }
    if (this.#waiting.length > 0) this.#schedule();
    else this.#untilEmpty?.();
  }

  /** What goes into the next transaction. */
  #take(): Operation[] {
    let weight = 0;
    let count = 0;
    for (const operation of this.#waiting) {
      if (count > 0 && weight + operation.weight > MAX_TOGETHER) break;
      weight += operation.weight;
      count++;
    }
    this.#weight -= weight;
    if (count === this.#waiting.length) {
      const all = this.#waiting;
      this.#waiting = [];
      return all;
    }
    return this.#waiting.splice(0, count);
  }

  /** One transaction, with its acknowledgements still to come. */
  #apply(operations: readonly Operation[]): "done" | "busy" | { error: Error; isCommon: boolean } {
    const connection = this.#connection;
    const { isDurable, engine, onChange } = this.#options;
    let isBegun = false;
    try {
      connection.setSync(isDurable && operations.some(({ kind }) => kind === "hard"));
      connection.begin(operations.every(({ kind }) => kind === "read"));
      isBegun = true;
      for (const operation of operations) operation.value = operation.apply();
      connection.commit();
    } catch (error) {
      if (isBegun) connection.rollback();
      if (isBusy(error)) return "busy";
      return { error: toEngineError(engine, error), isCommon: !isBegun };
    }
    this.#pause = FIRST_PAUSE;
    onChange(connection.changes);
    return "done";
  }

  /** Puts back what met a lock, and asks again later: to wait for it within SQLite would stop the event loop. */
  #block(operations: Operation[]): void {
    const { clock, busyFor, engine } = this.#options;
    const now = clock.now();
    this.#isBlocked = true;
    this.#waiting = [...operations, ...this.#waiting];
    const kept: Operation[] = [];
    this.#weight = 0;
    for (const operation of this.#waiting) {
      operation.blockedAt ??= now;
      if (now - operation.blockedAt < busyFor) {
        kept.push(operation);
        this.#weight += operation.weight;
      } else
        operation.reject(
          new EngineError(
            "HF_ENGINE_BUSY",
            engine,
            `another process held the file for more than ${busyFor} ms`,
          ),
        );
    }
    this.#waiting = kept;
    const pause = this.#pause * (0.5 + Math.random());
    this.#pause = Math.min(MAX_PAUSE, this.#pause * 2);
    clock.later(pause, () => {
      this.#isBlocked = false;
      this.#flush();
    });
  }
}
