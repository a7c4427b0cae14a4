import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import {
  countOf,
  finish,
  idsOf,
  newJob,
  put,
  putOne,
  recordOf,
  rejectsWith,
  take,
  takeOne,
  WORK,
} from "./stage.ts";

/** What `enqueue` stores, and what keys do. */
export const enqueueCases: readonly CaseDefinition[] = [
  {
    name: "enqueue stores every job of a batch, and answers in the order of the batch",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const batch = Array.from({ length: 300 }, (_, at) => newJob({ input: JSON.stringify({ at }) }));
      const answers = await a.store.enqueue(batch);
      assert.equal(answers.length, batch.length, "an answer for each job");
      assert.equal(new Set(idsOf(answers)).size, batch.length, "each job has an id of its own");
      assert.ok(
        answers.every(({ isNew }) => isNew),
        "all of them are new",
      );
      const claimed = await take(b.store, 1000);
      assert.deepEqual(idsOf(claimed), idsOf(answers), "all are stored, in the order of the batch");
      assert.deepEqual(
        claimed.map(({ input }) => input),
        batch.map(({ input }) => input),
        "each answer belongs to the job in its place",
      );
      assert.deepEqual(await a.store.enqueue([]), [], "an empty batch has no answers");
    },
  },
  {
    name: "a record tells what was enqueued, and that nothing has happened to it",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const before = stage.bench.clock.wall();
      const runAt = stage.inMs(3_600_000);
      const id = await putOne(store, {
        input: '{"to":"x"}',
        key: "k",
        priority: 7,
        runAt,
        expiresAt: runAt + 1,
        concurrencyKey: "tenant",
        concurrencyPerKey: 2,
        schedule: { name: "nightly", expression: "0 3 * * *", timeZone: "Europe/Berlin" },
      });
      const record = await recordOf(store, id);
      const { createdAt, ...rest } = record;
      // The clock of a server may be another one.
      assert.ok(
        Math.abs(createdAt - before) < 60_000,
        "createdAt is when it was enqueued, ms since the epoch",
      );
      assert.deepEqual(rest, {
        id,
        name: WORK,
        state: "queued",
        key: "k",
        concurrencyKey: "tenant",
        priority: 7,
        runAt,
        expiresAt: runAt + 1,
        attempt: 0,
        failures: 0,
        lapses: 0,
        isCancelling: false,
        schedule: "nightly",
        input: { to: "x" },
        attempts: [],
        steps: [],
        log: [],
      });
      assert.equal(
        await store.get(`${id}-unknown`),
        undefined,
        "get of an unknown id answers with undefined",
      );
    },
  },
  {
    name: "a key that is taken joins the job that is there, in the same batch too",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const [first, same, other] = await a.store.enqueue([
        newJob({ key: "k", input: "1" }),
        newJob({ key: "k", input: "2" }),
        newJob({ key: "k", name: "other" }),
      ]);
      assert.ok(first && same && other);
      assert.deepEqual(same, { id: first.id, isNew: false }, "the second of a batch joins the first");
      assert.ok(other.isNew && other.id !== first.id, "a key is unique among the jobs of one name");
      const join = async (): Promise<unknown> =>
        (await b.store.enqueue([newJob({ key: "k", input: "3" })]))[0];
      assert.deepEqual(await join(), { id: first.id, isNew: false }, "while it is queued");
      const job = await takeOne(a.store);
      assert.equal(job.input, "1", "who joins changes nothing");
      assert.deepEqual(await join(), { id: first.id, isNew: false }, "while it runs");
      await finish(a.store, job, "slept", { runAt: stage.inMs(3_600_000) });
      assert.deepEqual(await join(), { id: first.id, isNew: false }, "while it sleeps");
      assert.equal(await countOf(a.store), 1);
    },
  },
  {
    name: "a key is free again once its job has ended",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      for (const end of ["succeeded", "failed", "cancelled"] as const) {
        const [first] = await store.enqueue([newJob({ key: "k" })]);
        await finish(store, await takeOne(store), end);
        const [second] = await store.enqueue([newJob({ key: "k" })]);
        assert.ok(second?.isNew && second.id !== first?.id, `after it ${end}`);
        await store.cancel(second.id, { name: "Error", message: "next round" });
      }
    },
  },
  {
    name: "keys are compared as they are: case, spaces, accents and emptiness count",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const keys = [
        "a",
        "A",
        "a ",
        " a",
        "",
        "é",
        "e\u0301",
        "ß",
        "ss",
        "💚",
        "%",
        "a_",
        "'",
        '"',
        "\\",
        "1",
        "01",
      ];
      const answers = await store.enqueue(keys.map((key) => newJob({ key })));
      assert.ok(
        answers.every(({ isNew }) => isNew),
        "none of these is equal to another",
      );
      const again = await store.enqueue(keys.map((key) => newJob({ key })));
      assert.deepEqual(idsOf(again), idsOf(answers), "and each is equal to itself");
      assert.ok(again.every(({ isNew }) => !isNew));
      const { jobs } = await store.list({ key: "a", limit: 10 });
      assert.deepEqual(idsOf(jobs), idsOf(answers.slice(0, 1)), "list filters by the key as it is");
    },
  },
  {
    name: "reject stores none of a batch when a key of it is taken",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const id = await putOne(store, { key: "k", name: "holder" });
      const batch = [
        newJob({ key: "new" }),
        newJob({ name: "holder", key: "k", onConflict: "reject" }),
        newJob(),
      ];
      await rejectsWith(
        "HF_JOB_KEY_CONFLICT",
        store.enqueue(batch),
        "enqueue of a key that is taken rejects",
      );
      const twice = [newJob({ key: "twice" }), newJob({ key: "twice", onConflict: "reject" })];
      await rejectsWith(
        "HF_JOB_KEY_CONFLICT",
        store.enqueue(twice),
        "and where it is taken by the same batch",
      );
      assert.equal(await countOf(store), 0, "nothing of these batches is stored");
      assert.equal((await recordOf(store, id)).state, "queued", "the holder is untouched");
      const [free] = await store.enqueue([newJob({ key: "new", onConflict: "reject" })]);
      assert.ok(free?.isNew, "a key of a batch that was rejected is free");
    },
  },
  {
    name: "of many that enqueue one key at the same time, one stores it and the others join",
    group: "semantics",
    async run(stage) {
      const openings = [await stage.open(), await stage.open(), await stage.open()];
      const begun = Array.from({ length: 12 }, (_, at) =>
        openings[at % 3]!.store.enqueue([newJob({ key: "k" })]),
      );
      const answers = (await Promise.all(begun)).flat();
      assert.equal(answers.filter(({ isNew }) => isNew).length, 1, "one is new");
      assert.equal(new Set(idsOf(answers)).size, 1, "all have the same id");
    },
  },
  {
    name: "replace cancels a queued job, and takes its place",
    group: "semantics",
    capabilities: ["replace"],
    async run(stage) {
      const { store } = await stage.open();
      const old = await putOne(store, { key: "k", runAt: stage.inMs(3_600_000) });
      const [answer] = await store.enqueue([newJob({ key: "k", onConflict: "replace", input: '"new"' })]);
      assert.ok(answer?.isNew && answer.id !== old, "the new one is stored");
      const record = await recordOf(store, old);
      assert.equal(record.state, "cancelled", "the old one has ended as cancelled");
      assert.ok(record.error, "and its record says why");
      const job = await takeOne(store);
      assert.deepEqual([job.id, job.input], [answer.id, '"new"'], "the new one is claimable");
      const [first, second] = await put(store, { key: "b" }, { key: "b", onConflict: "replace" });
      assert.notEqual(first, second, "the second of a batch replaces the first");
      assert.deepEqual(idsOf(await take(store)), [second]);
    },
  },
  {
    name: "replace asks a running job to stop, and its successor is not claimable before that has ended",
    group: "semantics",
    capabilities: ["replace"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await putOne(a.store, { key: "k" });
      const running = await takeOne(a.store);
      const replaced = await putOne(b.store, { key: "k", onConflict: "replace" });
      assert.deepEqual(await a.store.check([running]), ["cancel"], "the running one is asked to stop");
      assert.deepEqual(await take(b.store), [], "its successor waits for its end");
      const [joined] = await b.store.enqueue([newJob({ key: "k" })]);
      assert.deepEqual(joined, { id: replaced, isNew: false }, "who joins, joins the newest");
      const last = await putOne(b.store, { key: "k", onConflict: "replace" });
      assert.equal(
        (await recordOf(b.store, replaced)).state,
        "cancelled",
        "a successor can be replaced, too",
      );
      assert.deepEqual(await take(b.store), [], "and the next one waits for the running one as well");
      await finish(a.store, running, "cancelled");
      assert.equal((await takeOne(b.store)).id, last, "after the end it is claimable");
    },
  },
  {
    name: "a transaction's jobs are there when it commits, and not before",
    group: "semantics",
    capabilities: ["transactions"],
    offers: ["transaction"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const { transaction } = stage.bench;
      assert.ok(transaction);
      let id = "";
      await stage.untilWoken(b, "jobs", async () => {
        await transaction.call(stage.bench, async (client) => {
          const [answer, joined] = await a.store.enqueue(
            [newJob({ key: "k" }), newJob({ key: "k" })],
            client,
          );
          assert.ok(answer?.isNew && joined?.isNew === false, "answers are as ever");
          id = answer.id;
          assert.equal(await b.store.get(id), undefined, "nobody else sees it before the commit");
        });
      });
      assert.equal((await takeOne(b.store)).id, id, "the committed job is there");
    },
  },
  {
    name: "a transaction that is rolled back stores nothing, and its keys are free",
    group: "semantics",
    capabilities: ["transactions"],
    offers: ["transaction"],
    async run(stage) {
      const { store } = await stage.open();
      const { transaction } = stage.bench;
      assert.ok(transaction);
      const rolledBack = transaction.call(stage.bench, async (client) => {
        await store.enqueue([newJob({ key: "k" }), newJob()], client);
        throw Object.assign(new Error("the user's own"), { code: "ROLLED_BACK" });
      });
      await rejectsWith("ROLLED_BACK", rolledBack, "the harness passes on what the user threw");
      assert.equal(await countOf(store), 0, "nothing of it is stored");
      const [answer] = await store.enqueue([newJob({ key: "k", onConflict: "reject" })]);
      assert.ok(answer?.isNew, "its key is free");
    },
  },
];
