import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { ERROR, finish, newJob, put, putOne, REASON, recordOf, take, takeOne } from "./stage.ts";

/** What people and programs ask of single jobs. */
export const controlCases: readonly CaseDefinition[] = [
  {
    name: "cancel ends a queued job, leaves an ended one, and knows no unknown one",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const [queued, done] = await put(store, { runAt: stage.inMs(3_600_000) }, {});
      await finish(store, await takeOne(store));
      assert.equal(await store.cancel(queued ?? "", REASON), "cancelled");
      const record = await recordOf(store, queued ?? "");
      assert.deepEqual([record.state, record.error, record.attempts], ["cancelled", REASON, []]);
      assert.ok(record.endedAt !== undefined && !record.isCancelling);
      assert.equal(await store.cancel(queued ?? "", { name: "Error", message: "again" }), "cancelled");
      assert.deepEqual((await recordOf(store, queued ?? "")).error, REASON, "the second changes nothing");
      assert.equal(await store.cancel(done ?? "", REASON), "succeeded");
      assert.equal((await recordOf(store, done ?? "")).state, "succeeded", "an end does not change");
      assert.equal(await store.cancel(`${done}-unknown`, REASON), undefined);
    },
  },
  {
    name: "cancel marks a running job, its worker is told, and it ends with that one's settlement",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await put(a.store, {}, {}, {});
      const [stops, ends, silent] = await take(a.store);
      assert.ok(stops && ends && silent);
      assert.equal(await b.store.cancel(stops.id, REASON), "running");
      assert.equal(await b.store.cancel(ends.id, REASON), "running");
      const record = await recordOf(b.store, stops.id);
      assert.deepEqual([record.state, record.isCancelling], ["running", true]);
      assert.deepEqual(await a.store.check([stops, ends]), ["cancel", "cancel"]);
      assert.deepEqual(
        await a.store.renew([stops]),
        ["cancel"],
        "a lease that is asked to stop is held all the same",
      );
      await finish(a.store, stops, "cancelled", { error: ERROR });
      await finish(a.store, ends, "succeeded", { result: "1" });
      await b.store.cancel(silent.id, REASON);
      await finish(a.store, silent, "cancelled");
      assert.deepEqual(
        (await recordOf(b.store, silent.id)).error,
        REASON,
        "the reason stays where it ends without another",
      );
      const stopped = await recordOf(b.store, stops.id);
      assert.deepEqual([stopped.state, stopped.error, stopped.isCancelling], ["cancelled", ERROR, false]);
      assert.equal(
        (await recordOf(b.store, ends.id)).state,
        "succeeded",
        "what ended well in spite of it has ended well",
      );
    },
  },
  {
    name: "a job that was asked to stop, and is handed back, ends as cancelled",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const ends = ["again", "slept", "released"] as const;
      const ids = await put(store, {}, {}, {});
      const jobs = await take(store);
      for (const [at, end] of ends.entries()) {
        const job = jobs[at];
        assert.ok(job);
        await store.cancel(job.id, REASON);
        await finish(
          store,
          job,
          end,
          end === "released" ? {} : { runAt: stage.inMs(3_600_000), error: ERROR },
        );
      }
      assert.deepEqual(await take(store), [], "it is not given to anybody");
      for (const [at, id] of ids.entries()) {
        const { state, isCancelling, error } = await recordOf(store, id);
        assert.deepEqual(
          [state, isCancelling, error],
          ["cancelled", false, REASON],
          `after "${ends[at]}", at the next claim at the latest`,
        );
      }
    },
  },
  {
    name: "retry queues a job again that failed or was cancelled, its record kept, its counts from zero",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store, { key: "k" });
      const first = await takeOne(store);
      await store.recordStep(first, { name: "one", value: "1", at: 1 });
      await store.note([{ ...first, log: [{ at: 1, attempt: 1, text: "kept" }] }]);
      await finish(store, first, "failed", { error: ERROR });
      assert.equal(await store.retry(id, false), true);
      const queued = await recordOf(store, id);
      assert.deepEqual(
        [queued.state, queued.failures, queued.lapses, queued.attempts.length],
        ["queued", 0, 0, 1],
      );
      assert.equal(queued.endedAt, undefined);
      assert.equal(await store.retry(id, false), false, "one that has not ended");
      const second = await takeOne(store);
      assert.deepEqual(
        [second.attempt, second.failures, second.steps.length],
        [2, 0, 1],
        "attempts go on, steps are kept",
      );
      assert.ok(second.token > first.token, "the token grows");
      await store.cancel(id, REASON);
      await finish(store, second, "cancelled", { error: REASON });
      assert.equal(await store.retry(id, true), true, "one that was cancelled");
      const third = await takeOne(store);
      assert.deepEqual(
        [third.steps, third.isCancelling],
        [[], false],
        "fromStart drops the steps, and it need not stop",
      );
      assert.equal(await store.recordStep(third, { name: "one", value: "2", at: 2 }), true);
      await finish(store, third);
      assert.equal(await store.retry(id, true), false, "one that succeeded");
      assert.equal(await store.retry(`${id}-unknown`, false), undefined);
      const { attempts, log } = await recordOf(store, id);
      assert.deepEqual(
        [attempts.map(({ end }) => end), log.length],
        [["failed", "cancelled", "succeeded"], 1],
      );
    },
  },
  {
    name: "retry does nothing while another unfinished job has the key, and takes the key otherwise",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store, { key: "k" });
      await finish(store, await takeOne(store), "failed", { error: ERROR });
      const other = await putOne(store, { key: "k" });
      assert.equal(await store.retry(id, false), false);
      assert.equal((await recordOf(store, id)).state, "failed");
      await store.cancel(other, REASON);
      assert.equal(await store.retry(id, false), true);
      const [joined] = await store.enqueue([newJob({ key: "k" })]);
      assert.deepEqual(joined, { id, isNew: false }, "it has the key again");
    },
  },
  {
    name: "remove takes an ended job away, and no other",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const [id] = await put(store, { key: "k" }, { runAt: stage.inMs(3_600_000) });
      assert.ok(id);
      assert.equal(await store.remove(id), false, "one that is queued");
      const job = await takeOne(store);
      await store.recordStep(job, { name: "one", value: "1", at: 1 });
      assert.equal(await store.remove(id), false, "one that runs");
      await finish(store, job, "failed", { error: ERROR });
      assert.equal(await store.remove(id), true);
      assert.equal(await store.get(id), undefined);
      assert.equal(await store.remove(id), undefined, "one that is not there");
      assert.equal(await store.retry(id, false), undefined);
      assert.deepEqual(await store.ended([id]), [{ id }], "ended says that there is none");
      assert.equal((await store.stats()).failed, 0);
    },
  },
  {
    name: "sweep removes ended jobs whose time is over, and no more than it was asked to",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const at = (succeeded: number, failed: number) => ({ keep: { succeeded, failed } });
      const fields = [
        at(0, Infinity),
        at(0, Infinity),
        at(0, Infinity),
        at(Infinity, 0),
        at(Infinity, 0),
        at(2_500, 0),
      ];
      const [gone1, gone2, failedKept, failedGone, cancelledGone, later] = await put(store, ...fields);
      await putOne(store, { ...at(0, 0), runAt: stage.inMs(3_600_000) });
      const jobs = await take(store);
      const ends = ["succeeded", "succeeded", "failed", "failed", "cancelled", "succeeded"] as const;
      for (const [index, job] of jobs.entries()) await finish(store, job, ends[index] ?? "failed");
      await stage.bench.elapse(5);
      assert.equal(await store.sweep(3), 3, "no more than it was asked to");
      assert.equal(await store.sweep(100), 1, "the rest of them");
      const gone = [gone1, gone2, failedGone, cancelledGone];
      for (const id of gone) assert.equal(await store.get(id ?? ""), undefined, "its time is over");
      for (const id of [failedKept, later]) assert.ok(await store.get(id ?? ""), "its time is not over");
      assert.equal((await store.stats()).queued, 1, "what has not ended stays");
      await stage.bench.elapse(3_100);
      assert.equal(await store.sweep(100), 1, "later the next one");
      assert.equal(await store.sweep(100), 0, "Infinity is for ever");
    },
  },
];
