import { getEventListeners } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openScope } from "../../../src/index.ts";
import type { SpawnOptions } from "../../../src/core/options.ts";
import type { Scope, TaskContext } from "../../../src/core/types.ts";
import { ProgramClock, turn } from "./clock.ts";

/*
 * Invariant 9: a long-lived scope with many short tasks behind it has as many listeners, timers and bytes as one with
 * none. Each way of using it is repeated, first until all that is kept on purpose is full, then often enough for a
 * few bytes a time to show.
 */

const WARM_UP = 3_000;
const TIMES = 10_000;
/** Noise of the collector aside, nothing may grow. The smallest thing that could be left behind has more. */
const BYTES = 64;

let clock: ProgramClock;
beforeAll(() => {
  clock = new ProgramClock();
});
afterAll(() => clock.close());

/** What is at hand for each repetition. */
interface Place {
  readonly scope: Scope;
  readonly signal: AbortSignal;
  /** A task that lives as long as the scope. */
  readonly old: TaskContext;
  readonly n: number;
}

const done = async (): Promise<void> => {};
const fail = async (): Promise<void> => {
  throw new Error("short");
};
const caught = (promise: PromiseLike<unknown>): Promise<void> =>
  Promise.resolve(promise).then(
    () => undefined,
    () => undefined,
  );

const ways: Record<string, (place: Place) => unknown> = {
  "tasks that succeed": ({ scope }) => scope.spawn("short", done),
  "tasks that fail": ({ scope }) => scope.spawn("short", fail),
  "tasks that somebody awaits": ({ scope }) => caught(scope.spawn("short", fail)),
  "tasks with every option": ({ scope, signal, n }) =>
    scope.spawn("short", done, {
      signal,
      timeout: 50,
      deadline: 100,
      grace: 10,
      delay: 1,
      key: `key ${n}`,
      limit: { key: `limit ${n % 7}`, concurrency: 2, rate: { count: 5, per: 3 } },
      attributes: { n },
      retry: { attempts: 2, min: 1 },
    }),
  "limits of many keys": ({ scope, n }) =>
    scope.spawn("short", done, { limit: { key: `once ${n}`, concurrency: 1, rate: { count: 1, per: 2 } } }),
  "keys that replace": ({ scope }) =>
    scope.spawn("short", (task) => task.sleep(5), { key: "same", onConflict: "replace" }),
  "tasks cancelled while they sleep": async ({ scope }) => {
    const task = scope.spawn("short", (ctx) => ctx.sleep(1_000));
    await null;
    await task.cancel();
  },
  "tasks cancelled while they await the old one": async ({ scope, old }) => {
    const { signal } = old;
    const task = scope.spawn("short", async () => {
      expect(signal.aborted).toBe(false);
      await oldTask(scope);
    });
    await null;
    await task.cancel();
  },
  "tasks that are abandoned": ({ scope }) =>
    scope.spawn("short", () => new Promise(() => {}), { timeout: 1, grace: 1, onError: () => undefined }),
  retries: ({ scope }) =>
    scope.spawn("short", fail, { retry: { attempts: 3, min: 1 }, onError: () => undefined }),
  "groups and maps": ({ scope }) => {
    void scope.group("group", (group) => group.spawn("short", done), { concurrency: 1 });
    return scope.map("map", [1, 2], done, { concurrency: 1 });
  },
  "child scopes": async ({ scope }) => {
    const child = scope.scope("child", { concurrency: 1, timeout: 1_000 });
    child.defer(done);
    child.on("end", () => undefined);
    child.spawn("short", done);
    await child.untilIdle();
    await child.close();
  },
  "listeners that stop listening": ({ scope }) => scope.on("end", () => undefined)(),
  "waiting for the scope": ({ scope }) => scope.untilRoom(),
  "adopted promises": ({ scope }) => scope.adopt("adopted", Promise.resolve(1)),
  "children, blocks, shields and sleeps of one old task": ({ old }) =>
    Promise.all([
      old.spawn("child", done),
      old.sleep(1),
      old.checkpoint(),
      old.timeout(100, done),
      old.shield(done),
      caught(old.timeout(1, (signal) => old.spawn("deaf", () => aborted(signal)))),
    ]),
  "progress and attributes of one old task": ({ old, n }) => {
    old.progress(n);
    old.set({ n });
  },
};

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function oldTask(scope: Scope): PromiseLike<unknown> {
  return scope.get("old") as PromiseLike<unknown>;
}

async function repeat(place: Omit<Place, "n">, way: (place: Place) => unknown, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    void caught(Promise.resolve(way({ ...place, n })));
    // In bursts, so that much is alive at once.
    if (n % 50 === 49) await settle();
  }
  await settle();
}

/** Until only the old task is left. */
async function settle(): Promise<void> {
  do await turn();
  while (clock.jump());
}

function bytes(): number {
  for (let round = 0; round < 4; round++) gc?.();
  return process.memoryUsage().heapUsed;
}

describe("invariant 9: a long-lived scope keeps nothing of", () => {
  test.for(Object.entries(ways))("%s", async ([, way]) => {
    const external = new AbortController();
    const scope = openScope("long", { onError: () => undefined, concurrency: 1_000 });
    let old: TaskContext | undefined;
    scope.spawn(
      "old",
      (task) => {
        old = task;
        return aborted(task.signal);
      },
      { key: "old", signal: external.signal } satisfies SpawnOptions,
    );
    await turn();
    const place = { scope, signal: external.signal, old: old as TaskContext };
    await repeat(place, way, WARM_UP);
    const before = bytes();
    await repeat(place, way, TIMES);
    const grown = (bytes() - before) / TIMES;
    expect(clock.pending()).toBe(0);
    expect(getEventListeners(external.signal, "abort").length).toBe(1);
    expect(getEventListeners(scope.signal, "abort").length).toBe(0);
    expect(getEventListeners(place.old.signal, "abort").length).toBe(1);
    expect([...scope.tree().tasks].map(({ name }) => name)).toEqual(["old"]);
    expect(scope.tree().scopes).toEqual([]);
    expect(grown).toBeLessThan(BYTES);
    external.abort();
    await scope.close();
    expect(getEventListeners(external.signal, "abort").length).toBe(0);
  });
});
