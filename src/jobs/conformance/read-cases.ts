import assert from "node:assert/strict";

import type { JobQuery } from "../record.ts";
import type { CaseDefinition } from "./definition.ts";
import { ERROR, finish, idsOf, put, putOne, REASON, recordOf, take, takeOne, WORK } from "./stage.ts";

/** What is asked without changing anything. */
export const readCases: readonly CaseDefinition[] = [
  {
    name: "list gives pages, newest first, and a page starts behind the one before, whatever was removed or added",
    group: "ordering",
    async run(stage) {
      const { store } = await stage.open();
      const ids: string[] = [];
      for (let at = 0; at < 5; at++) ids.push(...(await put(store, {}, {}, {}, {}, {}, {})));
      const newest = ids.toReversed();
      const first = await store.list({ limit: 10 });
      assert.deepEqual(idsOf(first.jobs), newest.slice(0, 10), "newest first");
      assert.ok(first.next, "there is more");
      for (const id of [newest[0], newest[4], newest[9], newest[10]]) {
        await store.cancel(id ?? "", REASON);
        assert.equal(await store.remove(id ?? ""), true);
      }
      await put(store, {}, {});
      const second = await store.list({ limit: 10, after: first.next });
      assert.deepEqual(idsOf(second.jobs), newest.slice(11, 21), "behind the last of the page before");
      assert.ok(second.next);
      const third = await store.list({ limit: 9, after: second.next });
      assert.deepEqual(idsOf(third.jobs), newest.slice(21, 30));
      assert.equal(third.next, undefined, "the last page has no next, though it is full");
    },
  },
  {
    name: "list filters by name, state, key and schedule, together and with pages",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const schedule = { name: "nightly", expression: "* * * * *" };
      const [plain, keyed, scheduled, both, other] = await put(
        store,
        {},
        { key: "k" },
        { schedule },
        { key: "k2", schedule },
        { name: "other", key: "k" },
      );
      const job = await takeOne(store);
      assert.equal(job.id, plain);
      const ask = async (query: JobQuery): Promise<string[]> =>
        idsOf((await store.list({ limit: 100, ...query })).jobs);
      assert.deepEqual(await ask({ name: WORK }), [both, scheduled, keyed, plain]);
      assert.deepEqual(await ask({ state: "running" }), [plain]);
      assert.deepEqual(await ask({ state: "queued", name: "other" }), [other]);
      assert.deepEqual(await ask({ key: "k" }), [other, keyed]);
      assert.deepEqual(await ask({ schedule: "nightly" }), [both, scheduled]);
      assert.deepEqual(await ask({ schedule: "nightly", key: "k2", name: WORK, state: "queued" }), [both]);
      assert.deepEqual(await ask({ name: "unknown" }), []);
      const page = await store.list({ name: WORK, limit: 3 });
      const rest = await store.list({ name: WORK, limit: 3, after: page.next ?? "" });
      assert.deepEqual([...idsOf(page.jobs), ...idsOf(rest.jobs)], [both, scheduled, keyed, plain]);
      await finish(store, job, "failed", { error: ERROR });
      const { input, attempts, steps, log, ...summary } = await recordOf(store, job.id);
      assert.deepEqual([input, attempts.length, steps, log], [{}, 1, [], []]);
      assert.deepEqual(
        (await store.list({ state: "failed", limit: 1 })).jobs,
        [summary],
        "a summary is what a record begins with",
      );
    },
  },
  {
    name: "stats count jobs by state and by name",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const empty = await store.stats();
      assert.deepEqual([empty.queued, empty.running, empty.isPaused], [0, 0, false]);
      await put(store, {}, {}, {}, {}, { runAt: stage.inMs(3_600_000) });
      await put(store, { name: "later", runAt: stage.inMs(3_600_000) });
      const [a, b, c] = await take(store, 4);
      assert.ok(a && b && c);
      await finish(store, a);
      await finish(store, b, "failed", { error: ERROR });
      await finish(store, c, "cancelled");
      const ready = await putOne(store);
      await putOne(store);
      const stats = await store.stats();
      const counts = { queued: 3, running: 1, succeeded: 1, failed: 1, cancelled: 1, isPaused: false };
      const { createdAt } = await recordOf(store, ready);
      assert.deepEqual(stats.names[WORK], { ...counts, oldestReadyAt: createdAt }, "of a name");
      const none = { queued: 1, running: 0, succeeded: 0, failed: 0, cancelled: 0, isPaused: false };
      assert.deepEqual(stats.names["later"], none, "no oldestReadyAt where none could run now");
      assert.deepEqual({ ...stats, names: {} }, { ...counts, queued: 4, names: {} }, "of all");
      assert.deepEqual(Object.keys(stats.names).toSorted(), ["later", WORK], "of the names that there are");
      await store.pause("paused");
      const paused = { ...none, queued: 0, isPaused: true };
      assert.deepEqual(
        (await store.stats()).names["paused"],
        paused,
        "also of one that is paused, and has no jobs",
      );
    },
  },
  {
    name: "ended tells of those jobs that have ended or do not exist, and of no others",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const [a, b, c, d, queued] = await put(store, {}, {}, {}, {}, {});
      const jobs = await take(store, 4);
      assert.deepEqual(await store.ended([a ?? "", queued ?? ""]), [], "none has ended");
      const [first, second, third] = jobs;
      assert.ok(first && second && third && a);
      await finish(store, first, "succeeded", { result: '{ "a": 1.0 }' });
      await finish(store, second, "failed", { error: ERROR });
      await store.cancel(third.id, REASON);
      await finish(store, third, "cancelled", { error: REASON });
      const unknown = `${a}-unknown`;
      const answers = await store.ended([unknown, d ?? "", queued ?? "", c ?? "", b ?? "", a]);
      const byId = new Map(answers.map((answer) => [answer.id, answer]));
      assert.equal(answers.length, 4);
      assert.deepEqual(byId.get(a), { id: a, state: "succeeded", result: '{ "a": 1.0 }' });
      assert.deepEqual(byId.get(b ?? ""), { id: b, state: "failed", error: ERROR });
      assert.deepEqual(byId.get(c ?? ""), { id: c, state: "cancelled", error: REASON });
      assert.deepEqual(byId.get(unknown), { id: unknown }, "no state where there is no such job");
      assert.deepEqual(await store.ended([]), []);
    },
  },
];
