import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { ending, finish, idsOf, put, putOne, recordOf, take, takeOne } from "./stage.ts";

/** How long delays of the cases are, in ms: longer than a few operations on a busy machine. */
const DELAY = 3_000;
/** What may lie between the clock of a server and ours. */
const SLACK = 600;

/** What is due when, by the wall clock. */
export const timeCases: readonly CaseDefinition[] = [
  {
    name: "a job is not claimable before its runAt, and nextIn or a wake tells when it is",
    group: "ordering",
    async run(stage) {
      const a = await stage.open();
      const [late, early] = await put(a.store, { runAt: stage.inMs(DELAY) }, { runAt: stage.inMs(-1) });
      const answer = await a.store.claim({ limit: 10, names: [{ name: "work", limit: 10 }] });
      assert.deepEqual(idsOf(answer.jobs), [early], "what is due is given, what is not is not");
      if (answer.nextIn !== undefined)
        assert.ok(answer.nextIn <= DELAY + SLACK, "nextIn is not later than runAt");
      const [first] = answer.jobs;
      assert.ok(first);
      await finish(a.store, first);
      const [job, after] = await stage.follow(a, DELAY + 6_000);
      assert.equal(job.id, late);
      assert.ok(after <= DELAY + 6_000);
      const { runAt } = await recordOf(a.store, job.id);
      assert.ok(
        runAt === undefined || runAt <= stage.inMs(SLACK),
        "a job that runs does not wait for a moment",
      );
    },
  },
  {
    name: "a delay that another opening stores is heard of in time",
    group: "ordering",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open({ work: false })];
      let id = "";
      const [job] = await stage.follow(a, DELAY + 6_000, async () => {
        id = await putOne(b.store, { runAt: stage.inMs(DELAY) });
      });
      assert.equal(job.id, id);
    },
  },
  {
    name: "again and slept are due at their runAt, and keep their place in the order",
    group: "ordering",
    async run(stage) {
      const { store } = await stage.open();
      const runAt = stage.inMs(DELAY);
      const ids = await put(store, {}, {}, { runAt });
      const jobs = await take(store);
      const written = await store.settle(
        jobs.map((job, at) => ending(job, at === 0 ? "again" : "slept", { runAt })),
      );
      assert.deepEqual(written, [true, true]);
      assert.deepEqual(await take(store), [], "not before");
      assert.equal((await recordOf(store, ids[0] ?? "")).runAt, runAt, "the record tells when");
      await stage.bench.elapse(DELAY + SLACK);
      assert.deepEqual(idsOf(await take(store)), ids, "then they come before what was enqueued later");
    },
  },
  {
    name: "what has expired ends as failed, and is not given to anybody",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const expiresAt = stage.inMs(DELAY);
      const [queued, delayed, running, kept] = await put(
        store,
        { expiresAt, priority: -1 },
        { expiresAt, runAt: stage.inMs(2 * DELAY) },
        { expiresAt },
        { priority: -2 },
      );
      const job = await takeOne(store);
      assert.equal(job.id, running, "before that moment it is claimable");
      await stage.bench.elapse(DELAY + SLACK);
      assert.deepEqual(idsOf(await take(store)), [kept], "after that moment it is not");
      for (const id of [queued, delayed]) {
        const { state, error, attempts, endedAt } = await recordOf(store, id ?? "");
        assert.deepEqual([state, error?.code, attempts], ["failed", "HF_JOB_EXPIRED", []]);
        assert.ok(endedAt !== undefined, "endedAt is set");
      }
      assert.equal((await recordOf(store, running ?? "")).state, "running", "what has begun may go on");
      assert.equal(await store.retry(queued ?? "", false), true);
      assert.equal((await takeOne(store)).id, queued, "retry drops the expiry");
    },
  },
  {
    name: "leases do not notice a jump of the wall clock, and what is due does",
    group: "recovery",
    offers: ["jumpWall"],
    async run(stage) {
      const [a, b] = [await stage.open({ endsLeases: true }), await stage.open()];
      const jump = (ms: number): void => stage.bench.jumpWall?.(ms);
      await putOne(a.store);
      const held = await takeOne(a.store);
      const due = await putOne(a.store, { runAt: stage.inMs(3_600_000) });
      jump(3_600_000 + 1);
      assert.deepEqual(
        idsOf(await take(b.store)),
        [due],
        "an hour later by the wall clock it is due, and no lease is over",
      );
      assert.deepEqual(await a.store.check([held]), ["held"]);
      jump(-7_200_000);
      assert.deepEqual(await a.store.check([held]), ["held"], "nor does a jump back end or prolong it");
      await stage.elapseLeases();
      assert.deepEqual(await a.store.check([held]), ["lost"], "its length is what ends it");
    },
  },
];
