import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { ending, finish, idsOf, put, putOne, REASON, take, takeOne, WORK } from "./stage.ts";

const RATE = 4_000;

/** Bounds over all workers. */
export const limitCases: readonly CaseDefinition[] = [
  {
    name: "concurrencyPerKey bounds what runs of a key, over all openings and within one claim",
    group: "semantics",
    capabilities: ["concurrencyKeys"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const [k1, , , other, elsewhere, free] = await put(
        a.store,
        { concurrencyKey: "k", concurrencyPerKey: 1 },
        { concurrencyKey: "k", concurrencyPerKey: 1 },
        { concurrencyKey: "k", concurrencyPerKey: 1 },
        { concurrencyKey: "other", concurrencyPerKey: 1 },
        { concurrencyKey: "k", concurrencyPerKey: 1, name: "elsewhere" },
        {},
      );
      const first = await take(a.store, 100, [WORK, "elsewhere"]);
      assert.deepEqual(
        idsOf(first),
        [k1, other, elsewhere, free],
        "one of each key and name; what has to wait does not hold up what need not",
      );
      assert.deepEqual(await take(b.store), [], "another opening keeps to the same bound");
      await put(a.store, { concurrencyKey: "k", concurrencyPerKey: 2 });
      assert.equal(
        (await take(b.store)).length,
        1,
        "the newest job that was stored decides: now two may run",
      );
      assert.deepEqual(await take(a.store), [], "and not three");
    },
  },
  {
    name: "a place of a concurrencyKey is free again after every kind of end",
    group: "semantics",
    capabilities: ["concurrencyKeys"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const ends = ["succeeded", "failed", "cancelled", "again", "slept"] as const;
      const limited = { concurrencyKey: "k", concurrencyPerKey: 1 };
      const ids = await put(a.store, ...[...ends, "released", "last"].map(() => limited));
      for (const [at, end] of ends.entries()) {
        const job = await takeOne(a.store);
        assert.equal(job.id, ids[at], `before "${end}"`);
        assert.deepEqual(await take(b.store), [], "while it runs, no other");
        const isLater = end === "again" || end === "slept";
        await finish(a.store, job, end, isLater ? { runAt: stage.inMs(3_600_000) } : {});
      }
      const job = await takeOne(b.store);
      await finish(b.store, job, "released");
      const same = await takeOne(a.store);
      assert.equal(same.id, job.id, "released: free again, and back in front");
      await b.store.cancel(same.id, REASON);
      assert.deepEqual(await take(b.store), [], "what was asked to stop still has its place");
      await finish(a.store, same, "cancelled");
      assert.equal((await takeOne(b.store)).id, ids.at(-1), "and gives it up when it has stopped");
    },
  },
  {
    name: "many claims at the same time keep to a concurrencyKey's bound",
    group: "semantics",
    capabilities: ["concurrencyKeys"],
    async run(stage) {
      const openings = [await stage.open(), await stage.open(), await stage.open()];
      const store = openings[0]!.store;
      await put(store, ...Array.from({ length: 30 }, () => ({ concurrencyKey: "k", concurrencyPerKey: 2 })));
      for (let round = 0; round < 4; round++) {
        const claims = Array.from({ length: 9 }, (_, at) => take(openings[at % 3]!.store, 5));
        const jobs = (await Promise.all(claims)).flat();
        jobs.push(...(await take(store)));
        assert.equal(jobs.length, 2, "as many as the bound allows run, and no more");
        const written = await store.settle(jobs.map((job) => ending(job, "succeeded")));
        assert.deepEqual(written, [true, true]);
      }
    },
  },
  {
    name: "a rate bounds the claims within any window, over all openings",
    group: "semantics",
    capabilities: ["rates"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await put(a.store, ...Array.from({ length: 12 }, () => ({})));
      await putOne(a.store, { name: "other" });
      const rated = [
        { name: WORK, limit: 10, rate: { count: 2, per: RATE } },
        { name: "other", limit: 10 },
      ];
      const claim = (store: typeof a.store, limit: number) => store.claim({ limit, names: rated });
      assert.equal((await claim(a.store, 1)).jobs.length, 1);
      await stage.bench.elapse(RATE * 0.6);
      const { jobs } = await claim(b.store, 10);
      assert.deepEqual(
        jobs.map(({ name }) => name),
        [WORK, "other"],
        "one more of the two, and other names have no bound",
      );
      const { jobs: none, nextIn } = await claim(a.store, 10);
      assert.deepEqual(none, [], "no third within the window");
      assert.ok(
        nextIn === undefined || nextIn <= RATE,
        "nextIn is when the window lets another pass, at the latest",
      );
      await stage.bench.elapse(RATE * 0.5);
      const slid = [...(await claim(b.store, 10)).jobs, ...(await claim(a.store, 10)).jobs];
      assert.equal(slid.length, 1, "the window slides: only the first claim has left it");
      await stage.bench.elapse(RATE * 1.1);
      const both = (await Promise.all([claim(a.store, 10), claim(b.store, 10), claim(a.store, 10)])).flatMap(
        (answer) => [...answer.jobs],
      );
      assert.ok(both.length <= 2, "claims at the same time keep to it, too");
      assert.equal(
        both.length + (await claim(a.store, 10)).jobs.length,
        2,
        "and a new window is a whole one",
      );
    },
  },
];
