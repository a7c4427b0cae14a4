import type { Database } from "./database.ts";
import type { Boss } from "./driver.ts";
import { digest, toText } from "./text.ts";

/** Out of pg-boss's reach: attempts are counted by holdfast, and what ends is ended by holdfast. */
export const farRetryLimit = 1_000_000_000;
/** The longest that an `int` of seconds takes, some 68 years. */
const farSeconds = 2_147_483_647;

/** The queues of pg-boss: one for each name of jobs, made when it is first used. */
export class Queues {
  readonly #database: Database;
  readonly #schema: string;
  readonly #boss: Boss;
  readonly #leaseSeconds: number;
  readonly #names = new Map<string, string>();
  readonly #made = new Map<string, Promise<void>>();

  constructor(database: Database, schema: string, boss: Boss, leaseSeconds: number) {
    this.#database = database;
    this.#schema = schema;
    this.#boss = boss;
    this.#leaseSeconds = leaseSeconds;
  }

  /** What pg-boss calls the queue of jobs of this name. It takes letters, digits and `_-./` only. */
  of(name: string): string {
    let queue = this.#names.get(name);
    if (queue === undefined) {
      queue = escape(name);
      this.#names.set(name, queue);
    }
    return queue;
  }

  /** Those of all these names, each once. */
  ofAll(names: Iterable<string>): string[] {
    const queues = new Set<string>();
    for (const name of names) queues.add(this.of(name));
    return [...queues];
  }

  /** Resolves when pg-boss knows the queues of all these names, and whoever reads knows the names of these queues. */
  async make(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const queue = this.of(name);
      let made = this.#made.get(queue);
      if (made === undefined) {
        made = this.#make(name, queue);
        this.#made.set(queue, made);
        made.catch(() => this.#made.delete(queue));
      }
      await made;
    }
  }

  async #make(name: string, queue: string): Promise<void> {
    await this.#boss.createQueue(queue, {
      retryLimit: farRetryLimit,
      retryDelay: 0,
      heartbeatSeconds: this.#leaseSeconds,
      retentionSeconds: farSeconds,
      deleteAfterSeconds: 0,
      expireInSeconds: 24 * 60 * 60,
    });
    // pg-boss takes no more than a day here, and each job that says more makes its insertion slower.
    await this.#database.query(
      `UPDATE ${this.#schema}.queue SET expire_seconds = $2, heartbeat_seconds = $3
       WHERE name = $1 AND (expire_seconds, heartbeat_seconds) IS DISTINCT FROM ($2, $3)`,
      [queue, farSeconds, this.#leaseSeconds],
    );
    await this.#database.query(
      `INSERT INTO ${this.#schema}.holdfast_name AS n (name, queue) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET queue = excluded.queue WHERE n.queue IS NULL`,
      [toText(name), queue],
    );
  }
}

/** `/` never stands in a name that is taken as it is. */
function escape(name: string): string {
  if (/^[\w.-]{1,100}$/.test(name)) return name;
  const escaped = name.replace(/[^\w.-]/g, (unit) => `/${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return name !== "" && escaped.length <= 200 ? escaped : `//${digest(name)}`;
}
