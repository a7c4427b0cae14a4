import assert from "node:assert/strict";

import { untilTurn } from "../../core/clock.ts";
import type { JobStore } from "../engine.ts";
import type { CaseDefinition } from "./definition.ts";
import {
  countOf,
  finish,
  idsOf,
  newJob,
  put,
  putOne,
  REASON,
  recordOf,
  rejectsWith,
  take,
  takeOne,
  WORK,
} from "./stage.ts";
import type { Opening, Stage } from "./stage.ts";

/** How long after its beginning an operation is interrupted, in turns of the event loop. */
const MOMENTS = [0, 1, 2, 5, 20];

/** Closing, crashing, and coming back. */
export const faultCases: readonly CaseDefinition[] = [
  {
    name: "close waits for what has begun, and what begins later rejects with HF_ENGINE_CLOSED",
    group: "faults",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const id = await putOne(a.store);
      const job = await takeOne(a.store);
      let acknowledged = 0;
      const one = async (): Promise<void> => {
        await a.store.enqueue([newJob({ name: "begun" }), newJob({ name: "begun" })]);
        acknowledged++;
      };
      const begun = Promise.allSettled([one(), one(), one()]);
      await stage.close(a);
      // Which of the two promises is heard of first says nothing.
      await untilTurn();
      assert.equal(acknowledged, 3, "what has begun is acknowledged before close resolves");
      await begun;
      assert.equal(await countOf(b.store, "begun"), 6);
      const { store } = a;
      const operations: ((it: JobStore) => Promise<unknown>)[] = [
        (it) => it.enqueue([newJob()]),
        (it) => take(it),
        (it) => it.renew([job]),
        (it) => it.check([job]),
        (it) => it.settle([{ id, token: job.token, end: "succeeded" }]),
        (it) => it.recordStep(job, { name: "one", value: "1", at: 1 }),
        (it) => it.note([{ id, token: job.token }]),
        (it) => it.cancel(id, REASON),
        (it) => it.retry(id, false),
        (it) => it.remove(id),
        (it) => it.pause(WORK),
        (it) => it.resume(WORK),
        (it) => it.sweep(1),
        (it) => it.get(id),
        (it) => it.list({ limit: 1 }),
        (it) => it.stats(),
        (it) => it.ended([id]),
      ];
      for (const operation of operations)
        await rejectsWith("HF_ENGINE_CLOSED", operation(store), `after close, ${String(operation)}`);
      assert.equal((await recordOf(b.store, id)).state, "running", "leases stay as they are");
    },
  },
  {
    name: "what was acknowledged is there when the store is opened again",
    group: "faults",
    async run(stage) {
      const a = await stage.open();
      const ids = await put(a.store, { key: "k" }, {}, {});
      const [first, second] = await take(a.store, 2);
      assert.ok(first && second);
      await finish(a.store, first, "succeeded", { result: "1" });
      await a.store.recordStep(second, { name: "one", value: "1", at: 1 });
      await finish(a.store, second, "released");
      await a.store.pause("paused");
      await stage.close(a);
      const b = await stage.open();
      assert.equal((await recordOf(b.store, ids[0] ?? "")).result, 1);
      await putOne(b.store, { name: "paused" });
      const jobs = await take(b.store, 9, [WORK, "paused"]);
      assert.deepEqual(idsOf(jobs), ids.slice(1), "in the same order, and with the same pauses");
      assert.equal(jobs[0]?.steps.length, 1);
      assert.ok((jobs[0]?.token ?? 0) > second.token, "tokens go on to grow");
      const later = await putOne(b.store);
      assert.ok(!ids.includes(later), "ids are not used again");
    },
  },
  {
    name: "what was acknowledged survives a crash",
    group: "faults",
    offers: ["crash"],
    async run(stage) {
      const a = await stage.open();
      const ids = await put(a.store, {}, {}, {});
      const job = await takeOne(a.store);
      await finish(a.store, job, "succeeded", { result: "1" });
      await stage.crash(a);
      const b = await stage.open();
      assert.equal((await recordOf(b.store, ids[0] ?? "")).result, 1);
      assert.deepEqual(idsOf(await take(b.store)), ids.slice(1));
    },
  },
  {
    name: "a batch that was begun when the store crashed is stored completely, or not at all",
    group: "faults",
    offers: ["crash"],
    async run(stage) {
      const reader = await stage.open({ work: false });
      for (const [at, turns] of MOMENTS.entries()) {
        const name = `batch-${at}`;
        const a = await stage.open();
        const begun = a.store.enqueue(Array.from({ length: 25 }, () => newJob({ name })));
        const wasAcknowledged = await crashDuring(stage, a, begun, turns);
        const count = await countOf(reader.store, name);
        assert.ok(count === 0 || count === 25, `${count} of 25 are stored`);
        if (wasAcknowledged) assert.equal(count, 25, "what was acknowledged is stored");
      }
    },
  },
  {
    name: "a settlement that was begun when the store crashed is written with all that belongs to it, or not at all",
    group: "faults",
    offers: ["crash"],
    async run(stage) {
      const reader = await stage.open({ work: false });
      for (const [at, turns] of MOMENTS.entries()) {
        const [name, nextName] = [`job-${at}`, `next-${at}`];
        const id = await putOne(reader.store, { name });
        const a = await stage.open();
        const { token } = await takeOne(a.store, name);
        const next = newJob({ name: nextName });
        const log = [{ at: 1, attempt: 1, text: "last" }];
        const begun = a.store.settle([{ id, token, end: "succeeded", result: "1", log, next }]);
        const wasAcknowledged = await crashDuring(stage, a, begun, turns);
        // What was begun may still become stored between two reads, and then all of it.
        const before = await countOf(reader.store, nextName);
        const record = await recordOf(reader.store, id);
        const after = await countOf(reader.store, nextName);
        const isWritten = record.state === "succeeded";
        const parts = [record.result, record.log.length, record.attempts[0]?.end];
        assert.deepEqual(parts, isWritten ? [1, 1, "succeeded"] : [undefined, 0, undefined]);
        assert.equal(isWritten ? after : before, isWritten ? 1 : 0, "next is stored with it, or not at all");
        if (wasAcknowledged) assert.ok(isWritten, "what was acknowledged is written");
      }
    },
  },
];

/** Crashes an opening so many turns after something was begun on it; resolves with whether that was answered by then. */
async function crashDuring(
  stage: Stage,
  opening: Opening,
  begun: Promise<unknown>,
  turns: number,
): Promise<boolean> {
  let isAcknowledged = false;
  void begun.then(
    () => (isAcknowledged = true),
    () => "a crash is a rejection, or no answer at all",
  );
  for (let turn = 0; turn < turns; turn++) await untilTurn();
  const wasAcknowledged = isAcknowledged;
  await stage.crash(opening);
  return wasAcknowledged;
}
