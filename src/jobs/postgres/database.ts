import type { BossExecutor, PgClient, PgPool, PgPreparing, PgQueryable, PgTypes } from "./driver.ts";
import { digest } from "./text.ts";
import { isAnswer, isCollision, toEngineError } from "./trouble.ts";

/** A row; what asks for it knows its columns. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * What one transaction runs. Statements may be issued before those ahead of them are answered: over a pool that
 * pipelines they share a way there and back.
 */
export class Transaction {
  readonly #client: PgQueryable;
  readonly #isPipelined: boolean;
  #last: Promise<unknown> = Promise.resolve();
  #pending: Promise<unknown>[] = [];
  #isHeld = false;
  constructor(client: PgQueryable) {
    this.#client = client;
    this.#isPipelined = client.pipeline === true;
  }

  query<R extends Row>(text: string, values: unknown[] = []): Promise<R[]> {
    return rowsOf<R>(this.#run(text, values));
  }

  /** The same for a text that is long, and asked for again and again: each connection prepares it once. */
  again<R extends Row>(text: string, values: unknown[]): Promise<R[]> {
    return rowsOf<R>(this.#runAgain(text, values));
  }

  /** Issues a statement whose answer nobody waits for before the commit. If it fails, the transaction does. */
  send(text: string, values: unknown[] = []): void {
    this.#await(this.query(text, values));
  }

  /** The same for an answer that is looked at only after the commit. */
  keep<T>(answer: Promise<T>): Promise<T> {
    this.#await(answer);
    return answer;
  }

  /**
   * Calls pg-boss with this transaction as its database. Resolves when its statement is under way. `within` may make it
   * a part of a greater one; with `types`, where it is prepared, its answer is read in another way.
   */
  async issue<T>(
    call: (options: { db: BossExecutor }) => Promise<T>,
    within: Within = asItIs,
    types?: PgTypes,
  ): Promise<{ readonly done: Promise<T> }> {
    const done = await new Promise<{ call: Promise<T> }>((resolve) => {
      const under = { call: undefined as unknown as Promise<T> };
      const told = (): void => resolve(under);
      under.call = call({
        db: {
          executeSql: (text, values = []) => {
            const answer = this.#runAgain(...within(text, values), types);
            told();
            return answer;
          },
        },
      });
      under.call.then(told, told);
    });
    this.#await(done.call);
    return { done: done.call };
  }

  /** All that was issued has been answered, and nothing has failed. */
  async settled(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    for (const answer of pending) await answer;
  }

  /** Ends it. An earlier failure says more than what the commit of a failed transaction is answered with. */
  async commit(): Promise<void> {
    this.send("COMMIT");
    await this.settled();
  }

  /** Nothing is under way any more, however it went, with who does not pipeline. */
  async quiet(): Promise<void> {
    await this.#last;
  }

  /** Who does not pipeline is given one statement at a time: `pg` warns of more. */
  #run(text: string, values?: unknown[]): Promise<{ rows: unknown[] }> {
    if (this.#isPipelined) {
      this.#hold();
      return this.#client.query(text, values);
    }
    const answer = this.#last.then(() => this.#client.query(text, values));
    this.#last = answer.catch(ignore);
    return answer;
  }

  #runAgain(text: string, values: unknown[], types?: PgTypes): Promise<{ rows: unknown[] }> {
    const name = this.#isPipelined ? nameOf(text) : undefined;
    if (name === undefined) return this.#run(text, values);
    this.#hold();
    return (this.#client as unknown as PgPreparing).query({ name, text, values, types });
  }

  /** What is issued in one turn is written at once: each write to a socket costs more than what is in it. */
  #hold(): void {
    const { stream } = (this.#client as unknown as PgPreparing).connection ?? {};
    if (this.#isHeld || stream?.cork === undefined) return;
    this.#isHeld = true;
    stream.cork();
    process.nextTick(() => {
      this.#isHeld = false;
      stream.uncork?.();
    });
  }

  #await(answer: Promise<unknown>): void {
    answer.catch(ignore);
    this.#pending.push(answer);
  }
}

/** What is made of a statement and its values. */
export type Within = (text: string, values: readonly unknown[]) => [string, unknown[]];

const asItIs: Within = (text, values) => [text, [...values]];

/** Postgres, as the engine sees it: statements and transactions, whose errors are `EngineError`s. */
export class Database {
  readonly #pool: PgPool;
  readonly #engine: string;
  constructor(pool: PgPool, engine: string) {
    this.#pool = pool;
    this.#engine = engine;
  }

  /** Runs one statement by itself. `isWrite`: where its answer is lost, it may have been stored. */
  async query<R extends Row>(text: string, values: unknown[] = [], isWrite = false): Promise<R[]> {
    const { rows } = await this.run(text, values, isWrite);
    return rows as R[];
  }

  /** The same, with the driver's own answer: several for a text of several statements. */
  run(text: string, values: unknown[] = [], isWrite = false): Promise<{ rows: unknown[] }> {
    return this.#lend(
      (client) => client.query(text, values),
      () => isWrite,
      // The text may have begun a transaction, which is still open then.
      () => false,
    );
  }

  /** Stores what `work` issues: one statement, which is a transaction by itself. It is called again as below. */
  single<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#lend(
      async (client) => {
        const tx = new Transaction(client);
        const answer = await work(tx);
        await tx.settled();
        return answer;
      },
      () => true,
      // Where Postgres has said that it has failed, there is nothing left of it.
      (_, error) => isAnswer(error),
    );
  }

  /** Commits what `work` does, or nothing of it. `work` is called again where two transactions collided. */
  transaction<T>(work: (tx: Transaction) => Promise<T>, begin = "BEGIN"): Promise<T> {
    let isCommitting = false;
    return this.#lend(
      async (client) => {
        isCommitting = false;
        const tx = new Transaction(client);
        try {
          tx.send(begin);
          const answer = await work(tx);
          isCommitting = true;
          await tx.commit();
          return answer;
        } catch (error) {
          await tx.quiet();
          throw error;
        }
      },
      () => isCommitting,
      rollBack,
    );
  }

  /**
   * Lends a connection, again where two transactions collided. `isUnsure`: what was asked may have been stored.
   * `recover`: after an error, whether the connection may be lent again.
   */
  async #lend<T>(
    use: (client: PgClient) => Promise<T>,
    isUnsure: () => boolean,
    recover: (client: PgClient, error: unknown) => boolean | Promise<boolean>,
  ): Promise<T> {
    for (let tries = 0; ; tries++) {
      const client = await this.#connect();
      try {
        const answer = await use(client);
        client.release();
        return answer;
      } catch (error) {
        client.release((await recover(client, error)) ? undefined : asError(error));
        if (isCollision(error) && tries < maxTries) continue;
        // Errors of holdfast's own are the caller's answer, and no trouble of the database.
        if (error instanceof Error && "code" in error && String(error.code).startsWith("HF_")) throw error;
        throw toEngineError(this.#engine, error, isUnsure());
      } finally {
        client.removeListener("error", ignore);
      }
    }
  }

  async #connect(): Promise<PgClient> {
    try {
      const client = await this.#pool.connect();
      // A connection that is cut while nothing runs on it tells so by an event, which unheard ends the process.
      client.on("error", ignore);
      return client;
    } catch (error) {
      throw toEngineError(this.#engine, error);
    }
  }
}

/** Whether what was begun is taken back. If not, the connection has to go, by which the server does it. */
async function rollBack(client: PgClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

/** The rows of an answer. Several may be under way: when one has failed, nobody waits for those behind it any more. */
function rowsOf<R extends Row>(answer: Promise<{ rows: unknown[] }>): Promise<R[]> {
  const rows = answer.then((all) => all.rows as R[]);
  rows.catch(ignore);
  return rows;
}

/** Of statements that are prepared. pg-boss writes the size of a claim into the text, of which there may be many. */
const names = new Map<string, string>();
const mostNames = 200;

function nameOf(text: string): string | undefined {
  let name = names.get(text);
  if (name === undefined && names.size < mostNames) {
    name = `holdfast_${digest(text).slice(0, 32)}`;
    names.set(text, name);
  }
  return name;
}

const maxTries = 5;

function ignore(): void {
  // Whoever issued the statement is told by its promise.
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
