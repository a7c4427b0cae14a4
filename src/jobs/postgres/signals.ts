import type { EngineContext } from "../engine.ts";
import type { PgClient, PgPool } from "./driver.ts";
import type { Word } from "./ground.ts";

/** How long a hint may be lost. */
const longest = 5_000;
/** Between two hints that go by themselves, in ms: each costs all who listen something. */
const apart = 25;
const firstPause = 100;
const longestPause = 5_000;

/** What time it was in the database, in ms since the epoch, at a moment between two of the clock that does not jump. */
type OnTime = (ms: number, asked: number, answered: number) => void;

/**
 * Hears what other openings say, on a connection of its own, and says what is not worth a place in a transaction.
 * A connection that was lost is made again, and what may have been missed is asked for: after that, and every five
 * seconds, since a connection may be lost without anybody being told.
 */
export class Signals {
  readonly #pool: PgPool;
  readonly #channel: string;
  readonly #voice: string;
  readonly #context: EngineContext;
  #client: PgClient | undefined;
  #onTime: OnTime = () => undefined;
  #isClosed = false;
  /** Told once for each trouble. */
  #isTroubled = false;
  #pause = firstPause;
  #stopTimer: (() => void) | undefined;
  readonly #toSay = new Set<Word>();
  #last: Promise<unknown> = Promise.resolve();
  #stopSaying: (() => void) | undefined;

  constructor(pool: PgPool, channel: string, voice: string, context: EngineContext) {
    this.#pool = pool;
    this.#channel = channel;
    this.#voice = voice;
    this.#context = context;
  }

  /** Rejects where it cannot be heard from the start. Tells what time it is in the database, now and from time to time. */
  async start(onTime: OnTime): Promise<void> {
    this.#onTime = onTime;
    await this.#connect();
    this.#later(longest, () => this.#check());
  }

  /** Tells the others soon: at once, where nothing was said just now. It may be lost. */
  say(word: Word): void {
    this.#toSay.add(word);
    if (this.#stopSaying !== undefined) return;
    void this.#sayAll();
    this.#stopSaying = this.#context.clock.later(
      apart,
      () => {
        this.#stopSaying = undefined;
        const [next] = this.#toSay;
        if (next !== undefined) this.say(next);
      },
      true,
    );
  }

  /** Something that runs by itself has failed. Told once, until the connection works again. */
  trouble(error: unknown): void {
    if (this.#isTroubled || this.#isClosed) return;
    this.#isTroubled = true;
    this.#context.onTrouble(error);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#stopSaying?.();
    this.#drop(true);
  }

  async #sayAll(): Promise<void> {
    const words = [...this.#toSay];
    this.#toSay.clear();
    const client = this.#client;
    try {
      if (client !== undefined)
        await this.#ask(client, "SELECT pg_notify($1, word || $2) FROM unnest($3::text[]) word", [
          this.#channel,
          ` ${this.#voice}`,
          words,
        ]);
    } catch (error) {
      if (this.#client === client) this.#lost(error);
    }
  }

  /** One statement at a time: a pool that was given may not know of more. */
  #ask(client: PgClient, text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    const answer = this.#last.then(() => client.query(text, values));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  async #connect(): Promise<void> {
    const client = await this.#pool.connect();
    client.on("notification", this.#onNotification);
    client.on("error", this.#lost);
    client.on("end", this.#lost);
    this.#client = client;
    try {
      await this.#ask(client, `LISTEN "${this.#channel}"`);
      await this.#askTime(client);
    } catch (error) {
      this.#drop(true);
      throw error;
    }
    if (this.#isClosed) this.#drop(true);
  }

  readonly #onNotification = (notification: unknown): void => {
    const { payload = "" } = notification as { payload?: string };
    const [word, voice] = payload.split(" ");
    if (voice === this.#voice || this.#isClosed) return;
    if (word === "jobs" || word === "cancel" || word === "end") this.#wake(word);
  };

  readonly #lost = (error?: unknown): void => {
    if (this.#client === undefined) return;
    this.#drop(true);
    if (this.#isClosed) return;
    this.trouble(error ?? new Error("the connection that listens was closed"));
    this.#later(this.#pause, () => this.#again());
  };

  async #again(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.trouble(error);
      this.#pause = Math.min(this.#pause * 2, longestPause);
      this.#later(this.#pause, () => this.#again());
      return;
    }
    this.#pause = firstPause;
    this.#isTroubled = false;
    this.#wakeAll();
    this.#later(longest, () => this.#check());
  }

  /** A connection that nobody has closed may lead nowhere: it is asked, and what it may have lost is looked for. */
  async #check(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    this.#later(longest, () => this.#check());
    this.#wakeAll();
    const stop = this.#context.clock.later(
      longest,
      () => {
        if (this.#client === client) this.#lost(new Error("the connection that listens does not answer"));
      },
      true,
    );
    try {
      await this.#askTime(client);
      this.#isTroubled = false;
    } catch (error) {
      if (this.#client === client) this.#lost(error);
    } finally {
      stop();
    }
  }

  async #askTime(client: PgClient): Promise<void> {
    const { clock } = this.#context;
    const asked = clock.now();
    const { rows } = await this.#ask(client, "SELECT extract(epoch FROM clock_timestamp())::float8 AS time");
    const [row] = rows as { time: number }[];
    if (row !== undefined) this.#onTime(row.time * 1000, asked, clock.now());
  }

  #wakeAll(): void {
    for (const word of ["jobs", "cancel", "end"] as const) this.#wake(word);
  }

  #wake(word: Word): void {
    if (this.#isClosed || (word === "jobs" && !this.#context.work)) return;
    this.#context.wake(word);
  }

  #later(ms: number, then: () => Promise<void>): void {
    this.#stopTimer?.();
    if (this.#isClosed) return;
    this.#stopTimer = this.#context.clock.later(ms, () => void then(), true);
  }

  #drop(isBroken: boolean): void {
    const client = this.#client;
    this.#client = undefined;
    if (client === undefined) return;
    // What it never answers must not hold up the next one.
    this.#last = Promise.resolve();
    client.removeListener("notification", this.#onNotification);
    client.removeListener("end", this.#lost);
    // It may still fail while it goes down, which then is nobody's business.
    client.on("error", () => undefined);
    client.removeListener("error", this.#lost);
    client.release(isBroken);
  }
}
