import type { Row } from "./database.ts";
import { transactionNow, type Ground } from "./ground.ts";

/** Between two looks, at least. */
const apart = 250;
/** Where something is due already that no claim has taken, the next one is not worth hurrying for. */
const soonest = 50;
/** The platform's timers take no more than some 24 days; a look a day is cheap. */
const latest = 24 * 60 * 60 * 1000;

/**
 * Wakes the queue when time alone makes something claimable: the end of a delay, of a lease, of an expiry. What is next
 * is looked up behind a claim that found less than it had room for, so that the claim does not wait for it.
 */
export class Alarm {
  readonly #ground: Ground;
  readonly #trouble: (error: unknown) => void;
  #names: readonly string[] = [];
  #lookedAt = -Infinity;
  #isLooking = false;
  #isAsked = false;
  #stopLook: (() => void) | undefined;
  #stopBell: (() => void) | undefined;
  #isClosed = false;

  constructor(ground: Ground, trouble: (error: unknown) => void) {
    this.#ground = ground;
    this.#trouble = trouble;
  }

  /** Looks for what is next, of these names. */
  ask(names: readonly string[]): void {
    this.#names = names;
    this.#isAsked = true;
    this.#plan();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopLook?.();
    this.#stopBell?.();
  }

  #plan(): void {
    if (this.#isLooking || this.#isClosed || !this.#isAsked || this.#stopLook !== undefined) return;
    const { clock } = this.#ground.context;
    const wait = this.#lookedAt + apart - clock.now();
    if (wait <= 0) void this.#look();
    else
      this.#stopLook = clock.later(
        wait,
        () => {
          this.#stopLook = undefined;
          void this.#look();
        },
        true,
      );
  }

  async #look(): Promise<void> {
    const { context } = this.#ground;
    const { clock } = context;
    this.#isLooking = true;
    this.#isAsked = false;
    this.#lookedAt = clock.now();
    try {
      const inMs = await this.#next();
      this.#stopBell?.();
      if (inMs !== undefined && !this.#isClosed)
        this.#stopBell = clock.later(
          Math.min(latest, Math.max(soonest, inMs)),
          () => context.wake("jobs"),
          true,
        );
    } catch (error) {
      if (!this.#isClosed) this.#trouble(error);
    } finally {
      this.#isLooking = false;
      this.#plan();
    }
  }

  async #next(): Promise<number | undefined> {
    const { database, schema, queues } = this.#ground;
    const [row] = await database.query<Row & { inMs: number | null }>(
      `SELECT least(
         (SELECT extract(epoch FROM min(start_after) - clock_timestamp()) * 1000 FROM ${schema}.job
          WHERE name = ANY($1::text[]) AND state IN ('created', 'retry') AND NOT blocked AND start_after > now()),
         (SELECT extract(epoch FROM min(heartbeat_on + heartbeat_seconds * interval '1 second') - clock_timestamp()) * 1000
          FROM ${schema}.job WHERE name = ANY($1::text[]) AND state = 'active'),
         (SELECT min(expiry) - ${transactionNow} FROM ${schema}.holdfast_job
          WHERE expiry IS NOT NULL AND queue = ANY($1::text[]))
       )::float8 AS "inMs"`,
      [this.#names.map((name) => queues.of(name))],
    );
    const inMs = row?.inMs ?? undefined;
    return inMs === undefined ? undefined : Math.ceil(inMs) + 1;
  }
}
