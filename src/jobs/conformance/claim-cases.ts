import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { finish, idsOf, newJob, put, putOne, recordOf, take, takeOne, WORK } from "./stage.ts";

/** Who gets which job, in which order. */
export const claimCases: readonly CaseDefinition[] = [
  {
    name: "a claim gives jobs by priority, then in the order of enqueuing, across names",
    group: "ordering",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const [x0, y5, x5, yLow, y0, x9] = await put(
        a.store,
        { name: "x" },
        { name: "y", priority: 5 },
        { name: "x", priority: 5 },
        { name: "y", priority: -5 },
        { name: "y" },
        { name: "x", priority: 9 },
      );
      const one = await take(b.store, 1, ["x", "y"]);
      assert.deepEqual(idsOf(one), [x9], "a claim of one gets the first");
      const rest = await take(b.store, 10, ["y", "x"]);
      assert.deepEqual(idsOf(rest), [y5, x5, x0, y0, yLow], "and a claim of many lists them in that order");
    },
  },
  {
    name: "a claim keeps to its limits, and leaves names that it does not ask for",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const ids = await put(store, {}, {}, {}, { name: "other" }, { name: "other" }, { name: "unknown" });
      const some = await take(store, 3, [
        { name: WORK, limit: 1 },
        { name: "other", limit: 5 },
      ]);
      assert.deepEqual(idsOf(some), [ids[0], ids[3], ids[4]], "no more of a name than its own limit");
      assert.deepEqual(
        idsOf(await take(store, 1, [{ name: WORK, limit: 9 }])),
        [ids[1]],
        "no more than of all",
      );
      assert.deepEqual(
        await take(store, 10, [{ name: WORK, limit: 0 }]),
        [],
        "none where there is room for none",
      );
      assert.deepEqual(await take(store, 10, []), [], "none where no name is asked for");
      assert.equal(
        (await recordOf(store, ids[5] ?? "")).state,
        "queued",
        "a name nobody asks for stays queued",
      );
    },
  },
  {
    name: "a claimed job comes with all that its worker needs, and its record says who has it",
    group: "semantics",
    async run(stage) {
      const { store, worker } = await stage.open();
      const schedule = { name: "nightly", expression: "0 3 * * *" };
      const id = await putOne(store, { input: "[1]", key: "k", priority: 3, schedule });
      const { token, createdAt, ...job } = await takeOne(store);
      assert.equal(typeof token, "number");
      assert.deepEqual(job, {
        ...{ id, name: WORK, input: "[1]", key: "k", priority: 3, attempt: 1, failures: 0 },
        ...{ steps: [], schedule, isCancelling: false },
      });
      const record = await recordOf(store, id);
      assert.deepEqual([record.state, record.worker, record.attempt], ["running", worker, 1]);
      assert.equal(record.createdAt, createdAt);
      assert.ok(record.startedAt !== undefined && record.startedAt >= createdAt, "startedAt is set");
      assert.deepEqual(record.attempts, [{ attempt: 1, worker, startedAt: record.startedAt }]);
    },
  },
  {
    name: "no job is given to two of many claims from several openings",
    group: "fencing",
    async run(stage) {
      const openings = [await stage.open(), await stage.open(), await stage.open()];
      const ids = await put(openings[0]!.store, ...Array.from({ length: 90 }, () => ({})));
      const claims = Array.from({ length: 18 }, (_, at) => take(openings[at % 3]!.store, 7));
      const claimed = idsOf((await Promise.all(claims)).flat());
      assert.equal(new Set(claimed).size, claimed.length, "a job is given to one claim only");
      // Engines may let a claim pass over what another is just about to take.
      for (const { store } of openings) claimed.push(...idsOf(await take(store, 100)));
      assert.deepEqual(claimed.toSorted(), ids.toSorted(), "and every job to one");
    },
  },
  {
    name: "each claim of a job has a greater token than the one before",
    group: "fencing",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await putOne(a.store);
      let before = -Infinity;
      for (const end of ["released", "slept", "again", "released"] as const) {
        for (const { store } of [a, b]) {
          const job = await takeOne(store);
          assert.ok(job.token > before, `the token grows: ${job.token} came after ${before}`);
          before = job.token;
          await finish(
            store,
            job,
            end,
            end === "released" ? {} : { runAt: stage.bench.clock.wall() - 1_000 },
          );
        }
      }
    },
  },
  {
    name: "paused names are not claimed, by no opening, until they are resumed",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await put(a.store, {}, {}, { name: "other" });
      const running = await takeOne(a.store);
      await a.store.pause(WORK);
      assert.deepEqual(await take(a.store), [], "not by the one that paused");
      assert.deepEqual(idsOf(await take(b.store, 9, [WORK])), [], "not by another");
      const later = await stage.open();
      assert.deepEqual(await take(later.store), [], "not by one that is opened later: it is stored");
      assert.equal((await take(b.store, 9, [WORK, "other"])).length, 1, "other names go on");
      assert.deepEqual(await a.store.renew([running]), ["held"], "what runs goes on");
      await finish(a.store, running, "released");
      assert.deepEqual(await take(b.store), [], "what comes back is paused, too");
      assert.equal((await a.store.stats()).names[WORK]?.isPaused, true, "stats say so");
      await b.store.resume(WORK);
      assert.equal((await a.store.stats()).names[WORK]?.isPaused, false);
      assert.equal((await take(a.store)).length, 2, "all are there once it is resumed");
    },
  },
  {
    name: "a pause of all holds every name, also those that come later",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await a.store.pause(undefined);
      assert.equal((await b.store.stats()).isPaused, true, "stats say so");
      await put(a.store, {}, { name: "later" });
      assert.deepEqual(await take(b.store, 9, [WORK, "later"]), []);
      await b.store.resume(undefined);
      assert.equal((await a.store.stats()).isPaused, false);
      assert.equal((await take(b.store, 9, [WORK, "later"])).length, 2);
    },
  },
  {
    name: "a claim sees what was enqueued just before it, though neither was acknowledged",
    group: "ordering",
    capabilities: ["ordered"],
    async run(stage) {
      const { store } = await stage.open();
      for (let round = 0; round < 5; round++) {
        const enqueued = store.enqueue([newJob(), newJob()]);
        const claimed = take(store);
        const [ids, jobs] = [idsOf(await enqueued), await claimed];
        assert.deepEqual(
          idsOf(jobs),
          ids,
          "operations of one turn are applied in the order in which they began",
        );
        const settled = store.settle(jobs.map(({ id, token }) => ({ id, token, end: "released" as const })));
        const again = take(store);
        const checked = store.check(jobs);
        assert.deepEqual(await settled, [true, true]);
        assert.deepEqual(idsOf(await again), ids, "a claim sees what was released just before it");
        assert.deepEqual(await checked, ["lost", "lost"], "and a check the claim just before it");
        for (const job of await again) await store.cancel(job.id, { name: "Error", message: "next round" });
        await store.settle((await again).map(({ id, token }) => ({ id, token, end: "cancelled" as const })));
      }
    },
  },
];
