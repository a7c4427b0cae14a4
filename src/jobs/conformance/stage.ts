import assert from "node:assert/strict";

import type { ClaimedJob, ClaimName, JobStore, NewJob, Settlement } from "../engine.ts";
import type { JobRecord } from "../record.ts";
import type { EngineBench } from "./harness.ts";

/** An opened store, and what its engine has called. */
export interface Opening {
  readonly worker: string;
  readonly store: JobStore;
  /** How often each was called. */
  readonly woken: { jobs: number; cancel: number; end: number };
  readonly troubles: unknown[];
}

/** What a lost hint may take at most, by the contract 5 s, and as much again for a busy machine. */
const HINT = 10_000;

/** Where a case plays: a new store, its openings, and what cases have in common. */
export class Stage {
  readonly bench: EngineBench;
  readonly #openings = new Set<Opening>();
  #count = 0;
  #onWake: (() => void) | undefined;

  constructor(bench: EngineBench) {
    this.bench = bench;
  }

  /**
   * Opens the store once more, as another process would, and records what the engine calls. Its leases outlast the
   * case, however busy the machine, unless they are to end.
   */
  async open(options: { readonly work?: boolean; readonly endsLeases?: boolean } = {}): Promise<Opening> {
    const worker = `worker-${++this.#count}`;
    const woken = { jobs: 0, cancel: 0, end: 0 };
    const troubles: unknown[] = [];
    const store = await this.bench.engine().open({
      worker,
      lease: options.endsLeases === true ? this.bench.lease : Math.max(this.bench.lease, LONG_LEASE),
      work: options.work ?? true,
      wake: (what) => {
        woken[what]++;
        this.#onWake?.();
      },
      onTrouble: (error) => troubles.push(error),
      clock: this.bench.clock,
    });
    const opening: Opening = { worker, store, woken, troubles };
    this.#openings.add(opening);
    return opening;
  }

  /** Closes an opening in order. */
  async close(opening: Opening): Promise<void> {
    this.#openings.delete(opening);
    await opening.store.close();
  }

  /** Ends an opening as `kill -9` would. */
  async crash(opening: Opening): Promise<void> {
    this.#openings.delete(opening);
    assert.ok(this.bench.crash, "the harness offers `crash`, and this bench has none");
    await this.bench.crash(opening.store);
  }

  /** Closes what is open, and asks that there was no trouble: nothing that a case does is any. */
  async end(): Promise<void> {
    const open = [...this.#openings];
    const closed = await Promise.allSettled(open.map((opening) => this.close(opening)));
    for (const one of closed) if (one.status === "rejected") throw one.reason;
    const troubles = open.flatMap((opening) => opening.troubles);
    assert.deepEqual(troubles, [], "onTrouble was called, and there was no trouble");
  }

  /** Moves time on by a part of a lease that is to end. */
  async elapseLease(part: number): Promise<void> {
    await this.bench.elapse(Math.ceil(this.bench.lease * part));
  }

  /** Moves time on until those leases have ended, and their jobs must be claimable. */
  async elapseLeases(): Promise<void> {
    await this.bench.elapse(this.bench.lease + 1_200);
  }

  /** A moment on the wall clock, `ms` from now. */
  inMs(ms: number): number {
    return this.bench.clock.wall() + ms;
  }

  /** Does something, and waits until the engine has called `wake(what)` of an opening for it. */
  async untilWoken(
    opening: Opening,
    what: keyof Opening["woken"],
    act: () => Promise<unknown>,
  ): Promise<void> {
    // Let hints of before arrive, so that they are not taken for this one.
    for (let round = 0; round < 3; round++) await opening.store.stats();
    const before = opening.woken[what];
    await act();
    const isWoken = await this.#within(HINT, opening, () => Promise.resolve(opening.woken[what] > before));
    assert.ok(isWoken, `wake("${what}") of ${opening.worker} was not called within ${HINT} ms`);
  }

  /**
   * Claims as a worker does: at first, when it is woken, and when `nextIn` is over; until it has a job. `act` happens
   * after the first claim. Answers with the job, and after how many ms it came.
   */
  async follow(opening: Opening, limit: number, act?: () => Promise<void>): Promise<[ClaimedJob, number]> {
    const { clock } = this.bench;
    let start = clock.now();
    let seen = 0;
    let due = Infinity;
    let found: ClaimedJob | undefined;
    const claim = async (): Promise<boolean> => {
      seen = opening.woken.jobs;
      const answer = await opening.store.claim({ limit: 1, names: [{ name: WORK, limit: 1 }] });
      due = clock.now() + (answer.nextIn ?? Infinity);
      [found] = answer.jobs;
      return found !== undefined;
    };
    if (!(await claim())) {
      await act?.();
      start = clock.now();
      await this.#within(limit, opening, () =>
        opening.woken.jobs === seen && clock.now() < due ? Promise.resolve(false) : claim(),
      );
    }
    assert.ok(found, `who claims when woken, and when nextIn is over, had no job after ${limit} ms`);
    return [found, clock.now() - start];
  }

  async #within(ms: number, opening: Opening, isSo: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.bench;
    const start = clock.now();
    // What needs no time comes first: a manual clock would else be moved on needlessly.
    for (let round = 0; round < 5; round++) {
      if (await isSo()) return true;
      await opening.store.stats();
    }
    while (clock.now() - start < ms) {
      const woken = new Promise<void>((resolve) => (this.#onWake = resolve));
      const elapsing = this.bench.elapse(STEP);
      await Promise.race([woken, elapsing]);
      // A round trip, so that a store which is reached by real input and output gets its turn under a manual clock.
      await opening.store.stats();
      const isDone = await isSo();
      await elapsing;
      if (isDone) return true;
    }
    return false;
  }
}

/** How time is moved on while something is waited for, in ms. */
const STEP = 100;
const LONG_LEASE = 120_000;

/** What jobs of the cases are called, where a case does not say. */
export const WORK = "work";

/** A job to be stored, with what a case does not say. */
export function newJob(fields: Partial<NewJob> = {}): NewJob {
  return {
    name: WORK,
    input: "{}",
    priority: 0,
    maxLapses: 3,
    keep: { succeeded: Infinity, failed: Infinity },
    ...fields,
  };
}

/** Stores jobs, each with these fields; answers with their ids. */
export async function put(store: JobStore, ...jobs: readonly Partial<NewJob>[]): Promise<string[]> {
  const answers = await store.enqueue(jobs.map((fields) => newJob(fields)));
  assert.equal(answers.length, jobs.length, "enqueue answers for each job");
  return answers.map(({ id }) => id);
}

/** Stores one job; answers with its id. */
export async function putOne(store: JobStore, fields: Partial<NewJob> = {}): Promise<string> {
  const [id] = await put(store, fields);
  assert.ok(id, "enqueue answers with an id that is not empty");
  return id;
}

/** Claims jobs of these names, at most so many. */
export async function take(
  store: JobStore,
  limit = 100,
  names: readonly (string | ClaimName)[] = [WORK],
): Promise<readonly ClaimedJob[]> {
  const asked = names.map((name) => (typeof name === "string" ? { name, limit } : name));
  return (await store.claim({ limit, names: asked })).jobs;
}

/** Claims one job, which has to be there. */
export async function takeOne(store: JobStore, name = WORK): Promise<ClaimedJob> {
  const [job, ...more] = await take(store, 1, [name]);
  assert.ok(job, `a job of ${name} is claimable, and claim gave none`);
  assert.deepEqual(more, [], "claim gives no more jobs than its limit");
  return job;
}

/** Which jobs, in their order. */
export function idsOf(jobs: readonly { readonly id: string }[]): string[] {
  return jobs.map(({ id }) => id);
}

/** How an attempt is to end. */
export function ending(
  { id, token }: ClaimedJob,
  end: Settlement["end"],
  more: Partial<Settlement> = {},
): Settlement {
  return { id, token, end, ...more };
}

/** Ends one attempt, which has to be possible. */
export async function finish(
  store: JobStore,
  job: ClaimedJob,
  end: Settlement["end"] = "succeeded",
  more: Partial<Settlement> = {},
): Promise<void> {
  const written = await store.settle([ending(job, end, more)]);
  assert.deepEqual(written, [true], `the settlement "${end}" of a lease that is held is written`);
}

/** What is known of a job that has to be there. */
export async function recordOf(store: JobStore, id: string): Promise<JobRecord> {
  const record = await store.get(id);
  assert.ok(record, `get finds the job ${id}`);
  return record;
}

/** All summaries of a name, newest first. */
export async function countOf(store: JobStore, name = WORK): Promise<number> {
  return (await store.list({ name, limit: 1000 })).jobs.length;
}

/** Whether it rejects with an error of this code. Errors are told by their codes: classes may be there twice. */
export async function rejectsWith(code: string, begun: Promise<unknown>, message: string): Promise<void> {
  await assert.rejects(begun, (error) => (error as { code?: unknown }).code === code, `${message}: ${code}`);
}

/** Why a job of the cases is cancelled. */
export const REASON = { name: "Reason", message: "the case asked for it", code: "CASE_ASKED" };

/** What an attempt of the cases fails with. */
export const ERROR = {
  name: "TypeError",
  message: "it broke",
  code: "E_BROKE",
  stack: "TypeError: it broke\n    at work (file:///app/work.js:1:1)",
  cause: { name: "Error", message: "deeper" },
};
