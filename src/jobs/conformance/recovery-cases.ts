import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { idsOf, put, putOne, REASON, recordOf, take, takeOne } from "./stage.ts";

/** What becomes of jobs whose worker died. */
export const recoveryCases: readonly CaseDefinition[] = [
  {
    name: "a lease that ends is a lapse: the job is claimable again, until it has lapsed too often",
    group: "recovery",
    async run(stage) {
      const [a, b] = [await stage.open({ endsLeases: true }), await stage.open({ endsLeases: true })];
      const [never, once, asked] = await put(a.store, { maxLapses: 0 }, { maxLapses: 1 }, {});
      assert.ok(never && once && asked);
      const first = await take(a.store);
      const stepped = first.find(({ id }) => id === once);
      assert.ok(stepped);
      await a.store.recordStep(stepped, { name: "one", value: "1", at: 1 });
      assert.equal(await b.store.cancel(asked, REASON), "running");
      assert.deepEqual(await take(b.store), [], "not while the leases last");
      await stage.elapseLeases();
      const [again, ...more] = await take(b.store);
      assert.deepEqual([again?.id, more], [once, []], "one may lapse once");
      assert.ok(again && again.token > stepped.token, "the token grows");
      assert.deepEqual(
        [again.attempt, again.failures, again.steps.length],
        [2, 0, 1],
        "a lapse is no failure, steps are kept",
      );
      const failed = await recordOf(b.store, never);
      assert.deepEqual([failed.state, failed.error?.code, failed.lapses], ["failed", "HF_LEASE_LAPSED", 1]);
      const [attempt] = failed.attempts;
      assert.deepEqual(
        [attempt?.end, attempt?.worker, attempt?.error?.code],
        ["lapsed", a.worker, "HF_LEASE_LAPSED"],
      );
      assert.ok(attempt?.endedAt !== undefined && failed.endedAt !== undefined);
      const cancelled = await recordOf(b.store, asked);
      assert.deepEqual(
        [cancelled.state, cancelled.error, cancelled.isCancelling],
        ["cancelled", REASON, false],
      );
      const running = await recordOf(b.store, once);
      assert.deepEqual([running.state, running.worker, running.lapses], ["running", b.worker, 1]);
      await stage.elapseLeases();
      assert.deepEqual(await take(a.store), [], "and not twice");
      const { state, lapses, failures, attempts } = await recordOf(a.store, once);
      assert.deepEqual([state, lapses, failures], ["failed", 2, 0]);
      assert.deepEqual(
        attempts.map(({ end }) => end),
        ["lapsed", "lapsed"],
      );
      assert.equal(await a.store.retry(once, false), true);
      assert.deepEqual(
        [(await takeOne(a.store)).attempt, (await recordOf(a.store, once)).lapses],
        [3, 0],
        "retry counts from zero",
      );
    },
  },
  {
    name: "a lapse frees what the job held: its place of a concurrencyKey, and the key that it was replaced on",
    group: "recovery",
    capabilities: ["concurrencyKeys", "replace"],
    async run(stage) {
      const [a, b] = [await stage.open({ endsLeases: true }), await stage.open({ endsLeases: true })];
      const limited = { concurrencyKey: "k", concurrencyPerKey: 1 };
      await put(a.store, { ...limited, maxLapses: 0 }, { key: "r" });
      assert.equal((await take(a.store)).length, 2);
      const [waiting, successor] = await put(b.store, limited, { key: "r", onConflict: "replace" });
      assert.deepEqual(await take(b.store), []);
      await stage.elapseLeases();
      // What one claim puts right may be seen only by the next.
      const jobs = [...(await take(b.store)), ...(await take(b.store))];
      assert.deepEqual(idsOf(jobs), [waiting, successor]);
    },
  },
  {
    name: "jobs of a worker that crashed are claimable within a second of their lease's end, by who follows wakes and nextIn",
    group: "recovery",
    offers: ["crash"],
    async run(stage) {
      const [a, b] = [await stage.open({ endsLeases: true }), await stage.open({ endsLeases: true })];
      const id = await putOne(a.store);
      await takeOne(a.store);
      // A lost hint may take five seconds; two more for a busy machine.
      const [job, after] = await stage.follow(b, stage.bench.lease + 8_000, () => stage.crash(a));
      assert.equal(job.id, id);
      assert.ok(after > stage.bench.lease * 0.5, "and not before the lease has ended");
      assert.deepEqual([job.attempt, job.failures], [2, 0]);
      assert.equal((await recordOf(b.store, id)).attempts[0]?.end, "lapsed");
    },
  },
];
