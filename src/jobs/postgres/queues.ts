import type { Boss } from "./driver.ts";
import { digest } from "./text.ts";

/** Out of pg-boss's reach: attempts are counted by holdfast, and what ends is ended by holdfast. */
export const farRetryLimit = 1_000_000_000;
/** The longest that an `int` of seconds takes, some 68 years. */
export const farSeconds = 2_147_483_647;

/** The queues of pg-boss: one for each name of jobs, made when it is first used. */
export class Queues {
  readonly #boss: Boss;
  readonly #leaseSeconds: number;
  readonly #names = new Map<string, string>();
  readonly #made = new Map<string, Promise<void>>();

  constructor(boss: Boss, leaseSeconds: number) {
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

  /** Resolves when pg-boss knows the queues of all these names. */
  async make(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      const queue = this.of(name);
      let made = this.#made.get(queue);
      if (made === undefined) {
        made = this.#boss.createQueue(queue, {
          retryLimit: farRetryLimit,
          retryDelay: 0,
          heartbeatSeconds: this.#leaseSeconds,
          retentionSeconds: farSeconds,
          deleteAfterSeconds: 0,
          expireInSeconds: 24 * 60 * 60,
        });
        this.#made.set(queue, made);
        made.catch(() => this.#made.delete(queue));
      }
      await made;
    }
  }
}

/** `/` never stands in a name that is taken as it is. */
function escape(name: string): string {
  if (/^[\w.-]{1,100}$/.test(name)) return name;
  const escaped = name.replace(/[^\w.-]/g, (unit) => `/${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return name !== "" && escaped.length <= 200 ? escaped : `//${digest(name)}`;
}
