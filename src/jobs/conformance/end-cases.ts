import assert from "node:assert/strict";

import type { Settlement } from "../engine.ts";
import type { CaseDefinition } from "./definition.ts";
import {
  countOf,
  ending,
  ERROR,
  finish,
  idsOf,
  newJob,
  put,
  putOne,
  recordOf,
  take,
  takeOne,
} from "./stage.ts";

const AWAITING = [{ file: "/app/work.js", line: 3, column: 9, function: "work" }];

/** How attempts end, and what the record says of it. */
export const endCases: readonly CaseDefinition[] = [
  {
    name: "succeeded, failed and cancelled end a job, and its record tells how",
    group: "semantics",
    async run(stage) {
      const { store, worker } = await stage.open();
      await put(store, {}, {}, {}, {});
      const [well, bad, stopped, empty] = await take(store);
      assert.ok(well && bad && stopped && empty);
      const written = await store.settle([
        ending(well, "succeeded", { result: '{"sent":true}', progress: { done: 2, total: 2, at: 5 } }),
        ending(bad, "failed", { error: ERROR, awaiting: AWAITING }),
        ending(stopped, "cancelled", { error: { name: "AbortError", message: "asked to" } }),
        ending(empty, "succeeded"),
      ]);
      assert.deepEqual(written, [true, true, true, true], "an answer for each");
      const good = await recordOf(store, well.id);
      assert.deepEqual(
        [good.state, good.result, good.failures, good.worker, good.progress],
        ["succeeded", { sent: true }, 0, undefined, { done: 2, total: 2, at: 5 }],
      );
      const failed = await recordOf(store, bad.id);
      assert.deepEqual([failed.state, failed.error, failed.failures], ["failed", ERROR, 1]);
      assert.ok(!("result" in failed), "no result where it has not ended well");
      const [attempt] = failed.attempts;
      assert.ok(attempt?.endedAt !== undefined && failed.endedAt !== undefined, "both have an end");
      assert.ok(attempt.endedAt >= attempt.startedAt);
      const { startedAt, endedAt } = attempt;
      assert.deepEqual(failed.attempts, [
        { attempt: 1, worker, startedAt, endedAt, end: "failed", error: ERROR, awaiting: AWAITING },
      ]);
      const cancelled = await recordOf(store, stopped.id);
      assert.deepEqual(
        [cancelled.state, cancelled.error?.message, cancelled.failures, cancelled.attempts[0]?.end],
        ["cancelled", "asked to", 0, "cancelled"],
      );
      const nothing = await recordOf(store, empty.id);
      assert.ok(!("result" in nothing), "no result where it returned nothing");
      assert.deepEqual(await take(store), [], "none of them is claimable again");
    },
  },
  {
    name: "again counts a failure, slept and released count none, and the record lists every attempt",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store);
      const runAt = stage.inMs(-1_000);
      const first = await takeOne(store);
      await finish(store, first, "again", { error: ERROR, runAt });
      const second = await takeOne(store);
      assert.deepEqual([second.attempt, second.failures], [2, 1], "after a failure");
      assert.deepEqual((await recordOf(store, id)).error, ERROR, "the record has the last error");
      await finish(store, second, "slept", { runAt });
      const third = await takeOne(store);
      assert.deepEqual([third.attempt, third.failures], [3, 1], "after a sleep");
      await finish(store, third, "released");
      const queued = await recordOf(store, id);
      assert.deepEqual(
        [queued.state, queued.failures, queued.lapses, queued.worker],
        ["queued", 1, 0, undefined],
        "a release uses nothing up",
      );
      const fourth = await takeOne(store);
      assert.equal(fourth.failures, 1, "after a release");
      await finish(store, fourth, "succeeded");
      const { attempts, attempt, state } = await recordOf(store, id);
      assert.deepEqual(
        attempts.map((one) => [one.attempt, one.end, one.error]),
        [
          [1, "failed", ERROR],
          [2, "slept", undefined],
          [3, "released", undefined],
          [4, "succeeded", undefined],
        ],
      );
      assert.deepEqual([attempt, state], [4, "succeeded"], "attempt is how many have begun");
    },
  },
  {
    name: "released puts a job back where it was in the order, at once",
    group: "ordering",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const ids = await put(a.store, {}, {}, {}, {});
      const jobs = await take(a.store, 2);
      // In the other order than they were given.
      const settled = await a.store.settle(jobs.toReversed().map((job) => ending(job, "released")));
      assert.deepEqual(settled, [true, true]);
      assert.deepEqual(idsOf(await take(b.store)), ids, "before those that were enqueued later");
    },
  },
  {
    name: "a record keeps the newest 50 attempts",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store);
      for (let round = 0; round < 53; round++) await finish(store, await takeOne(store), "released");
      const { attempts, attempt } = await recordOf(store, id);
      assert.deepEqual(
        [attempts.length, attempts[0]?.attempt, attempts.at(-1)?.attempt, attempt],
        [50, 4, 53, 53],
      );
    },
  },
  {
    name: "what an attempt says of itself is in the record: progress, and the newest 200 lines",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store);
      const { token } = await takeOne(store);
      const lines = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, at) => ({
          at: 1_000 + from + at,
          attempt: 1,
          text: `line ${from + at}`,
        }));
      const note = async (more: Partial<Settlement>): Promise<void> =>
        assert.deepEqual(await store.note([{ id, token, ...more }]), [true]);
      await note({ progress: { done: 1, total: 9, note: "so far", at: 77 }, log: lines(0, 150) });
      const early = await recordOf(store, id);
      assert.deepEqual(early.progress, { done: 1, total: 9, note: "so far", at: 77 });
      assert.deepEqual(early.log, lines(0, 150), "in their order");
      await note({ log: lines(150, 160) });
      await note({ progress: { done: 2, at: 78 } });
      await note({ log: lines(160, 290) });
      await store.settle([{ id, token, end: "succeeded", log: lines(290, 300) }]);
      const { log, progress } = await recordOf(store, id);
      assert.deepEqual(log, lines(100, 300), "the newest 200, those of the settlement too");
      assert.deepEqual(progress, { done: 2, at: 78 }, "the newest progress");
    },
  },
  {
    name: "a step is recorded once, and comes with the next claim",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store);
      const first = await takeOne(store);
      assert.equal(await store.recordStep(first, { name: "charge", value: '{"id":1}', at: 11 }), true);
      assert.equal(await store.recordStep(first, { name: "mail", value: "null", at: 12 }), true);
      assert.equal(
        await store.recordStep(first, { name: "charge", value: "2", at: 13 }),
        false,
        "a second of that name",
      );
      const begun = ["3", "4", "5"].map((value) => store.recordStep(first, { name: "race", value, at: 14 }));
      assert.equal((await Promise.all(begun)).filter(Boolean).length, 1, "one of several at the same time");
      await finish(store, first, "again", { runAt: stage.inMs(-1_000) });
      const second = await takeOne(store);
      assert.deepEqual(second.steps.slice(0, 2), [
        { name: "charge", value: '{"id":1}', at: 11 },
        { name: "mail", value: "null", at: 12 },
      ]);
      assert.equal(second.steps.length, 3);
      assert.equal(
        await store.recordStep(second, { name: "mail", value: "9", at: 15 }),
        false,
        "of an earlier attempt",
      );
      const { steps } = await recordOf(store, id);
      assert.deepEqual(steps.slice(0, 2), [
        { name: "charge", at: 11, value: { id: 1 } },
        { name: "mail", at: 12, value: null },
      ]);
    },
  },
  {
    name: "next is stored in the same moment as the settlement, though its key is that of the job which ends",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const schedule = { name: "nightly", expression: "0 3 * * *", timeZone: "UTC" };
      const fields = { key: "schedule:nightly", schedule };
      await putOne(store, { ...fields, input: "1" });
      const first = await takeOne(store);
      await finish(store, first, "succeeded", { next: newJob({ ...fields, input: "2" }) });
      const second = await takeOne(store);
      assert.deepEqual([second.input, second.key, second.schedule], ["2", fields.key, schedule]);
      assert.notEqual(second.id, first.id);
      await finish(store, second, "failed", { error: ERROR, next: newJob({ key: "taken", input: "3" }) });
      const third = await takeOne(store);
      await finish(store, third, "released");
      await putOne(store, { key: "other" });
      const jobs = await take(store);
      const other = jobs.find(({ key }) => key === "other");
      assert.ok(other);
      await finish(store, other, "succeeded", { next: newJob({ key: "taken", onConflict: "reject" }) });
      assert.equal(
        await countOf(store),
        4,
        "where its key is taken by another, next joins, and stores nothing",
      );
    },
  },
];
