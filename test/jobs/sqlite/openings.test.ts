import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { engineClock } from "../../../src/jobs/engine-clock.ts";
import { claim, folder, newJob, open, runsSources } from "./opened.ts";

test("an opening hears at once of what another of its process stored, asked to stop, and ended", async () => {
  const file = join(folder(), "jobs.db");
  const worker = await open(file);
  const client = await open(file, {}, { work: false });
  const jobs = worker.untilWoken("jobs");
  await client.store.enqueue([newJob()]);
  await jobs;
  const [job] = await claim(worker.store);
  expect(job).toMatchObject({ id: "1" });
  const cancel = worker.untilWoken("cancel");
  expect(await client.store.cancel("1", { name: "Error", message: "enough" })).toBe("running");
  await cancel;
  const lease = { id: "1", token: job?.token ?? 0 };
  expect(await worker.store.check([lease])).toEqual(["cancel"]);
  const end = client.untilWoken("end");
  expect(await worker.store.settle([{ ...lease, end: "cancelled" }])).toEqual([true]);
  await end;
  expect(await client.store.ended(["1"])).toEqual([
    { id: "1", state: "cancelled", error: { name: "Error", message: "enough" } },
  ]);
  // One that never claims is not told of what could be claimed.
  expect(client.woken).not.toContain("jobs");
});

test("an opening hears of what somebody else wrote into the file", async () => {
  const file = join(folder(), "jobs.db");
  const { store, untilWoken } = await open(file);
  await store.enqueue([newJob()]);
  const woken = untilWoken("jobs");
  // As another process would: a connection that our openings know nothing of.
  const other = new DatabaseSync(file);
  other.exec("UPDATE jobs SET priority = 1");
  await woken;
  other.close();
});

test("a lease that ended is another's, and what it did then counts no more", async () => {
  const file = join(folder(), "jobs.db");
  let ahead = 0;
  const clock = { ...engineClock, now: () => engineClock.now() + ahead };
  const one = await open(file, {}, { lease: 1000, clock, worker: "one" });
  const two = await open(file, {}, { lease: 1000, clock, worker: "two" });
  await one.store.enqueue([newJob()]);
  const [first] = await claim(one.store);
  const idle = await two.store.claim({ limit: 1, names: [{ name: "deliver", limit: 1 }] });
  expect(idle.jobs).toEqual([]);
  expect(idle.nextIn).toBeGreaterThan(0);
  expect(idle.nextIn).toBeLessThanOrEqual(1000);
  ahead = 1001;
  expect(await one.store.renew([{ id: "1", token: first?.token ?? 0 }])).toEqual(["lost"]);
  const [second] = await claim(two.store);
  expect(second).toMatchObject({ id: "1", attempt: 2, failures: 0 });
  expect(second?.token).toBeGreaterThan(first?.token ?? 0);
  expect(await one.store.settle([{ id: "1", token: first?.token ?? 0, end: "succeeded" }])).toEqual([false]);
  expect(await two.store.settle([{ id: "1", token: second?.token ?? 0, end: "succeeded" }])).toEqual([true]);
  expect(await one.store.get("1")).toMatchObject({
    state: "succeeded",
    lapses: 1,
    attempts: [
      { attempt: 1, worker: "one", end: "lapsed", error: { code: "HF_LEASE_LAPSED" } },
      { attempt: 2, worker: "two", end: "succeeded" },
    ],
  });
});

test("leases from before the machine started anew have ended", async () => {
  const file = join(folder(), "jobs.db");
  const before = await open(file, {}, { clock: { ...engineClock, now: () => 1_000_000 } });
  await before.store.enqueue([newJob()]);
  const [job] = await claim(before.store);
  await before.store.close();
  const after = await open(file, {}, { clock: { ...engineClock, now: () => 20_000 } });
  expect(await after.store.renew([{ id: "1", token: job?.token ?? 0 }])).toEqual(["lost"]);
  expect(await claim(after.store)).toMatchObject([{ id: "1", attempt: 2 }]);
});

test("two processes that claim from one file never get the same job", { timeout: 60_000 }, async () => {
  const file = join(folder(), "jobs.db");
  const { store } = await open(file, { durability: "normal" });
  const count = 3000;
  await store.enqueue(Array.from({ length: count }, () => newJob()));
  const script = fileURLToPath(new URL("fixtures/claims.ts", import.meta.url));
  const workers = ["one", "two"].map((name) => fork(script, [file, name], { execArgv: runsSources }));
  for (const word of ["begin", "go on"]) {
    await Promise.all(workers.map((worker) => once(worker, "message")));
    for (const worker of workers) worker.send(word);
  }
  const claimed = await Promise.all(
    workers.map(async (worker) => {
      const [ids] = (await once(worker, "message")) as [string[]];
      await once(worker, "exit");
      return ids;
    }),
  );
  const all = claimed.flat();
  expect(all).toHaveLength(count);
  expect(new Set(all).size).toBe(count);
  expect(claimed.every((ids) => ids.length > 0)).toBe(true);
  expect(await store.stats()).toMatchObject({ queued: 0, running: 0, succeeded: count });
});
