import assert from "node:assert/strict";

import type { ClaimedJob, JobStore, Lease } from "../engine.ts";
import type { CaseDefinition } from "./definition.ts";
import { countOf, ending, finish, newJob, put, putOne, recordOf, take, takeOne } from "./stage.ts";

/** That a lease is good for nothing, and that nothing comes of its use. */
async function isLost(store: JobStore, lease: Lease, when: string): Promise<void> {
  const { id, token } = lease;
  const before = await traces(store, id);
  assert.deepEqual(await store.check([lease]), ["lost"], `check: ${when}`);
  assert.deepEqual(await store.renew([lease]), ["lost"], `renew: ${when}`);
  assert.equal(
    await store.recordStep(lease, { name: "late", value: "1", at: 1 }),
    false,
    `recordStep: ${when}`,
  );
  const note = { id, token, progress: { done: 9, at: 1 }, log: [{ at: 1, attempt: 1, text: "late" }] };
  assert.deepEqual(await store.note([note]), [false], `note: ${when}`);
  for (const end of ["succeeded", "failed", "released", "slept"] as const) {
    const next = newJob({ name: "next" });
    const written = await store.settle([{ ...note, end, result: '"late"', next }]);
    assert.deepEqual(written, [false], `settle "${end}": ${when}`);
  }
  assert.equal(
    await countOf(store, "next"),
    0,
    `next is not stored where the settlement was not written: ${when}`,
  );
  assert.deepEqual(await traces(store, id), before, `and nothing of it is in the record: ${when}`);
}

/** What a settlement, a note or a step would leave. A lapse may be put right at any time, and is none of these. */
async function traces(store: JobStore, id: string): Promise<unknown> {
  const { steps, log, progress, result, failures, state, attempts } = await recordOf(store, id);
  const ends = attempts.map(({ end }) => end).filter((end) => end !== undefined && end !== "lapsed");
  const isEnded = state !== "queued" && state !== "running";
  return { steps, log, progress, result, failures, isEnded, ends };
}

/** Who no longer has a job can do nothing to it. */
export const fencingCases: readonly CaseDefinition[] = [
  {
    name: "a lease that was given up, ended or never given is good for nothing",
    group: "fencing",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      await putOne(a.store);
      const first = await takeOne(a.store);
      await finish(a.store, first, "released");
      await isLost(a.store, first, "after it was released");
      const second = await takeOne(b.store);
      await isLost(a.store, first, "after another claimed the job");
      await isLost(b.store, { ...second, token: second.token + 1 }, "with a token that was never given");
      assert.deepEqual(await b.store.check([second]), ["held"], "the lease of the newest claim is untouched");
      await finish(b.store, second, "succeeded", { result: "1" });
      await isLost(b.store, second, "after the job has ended");
      assert.deepEqual(
        await a.store.check([{ id: `${first.id}-unknown`, token: 1 }]),
        ["lost"],
        "an unknown job",
      );
      const unknown = { id: `${first.id}-unknown`, token: 1, end: "succeeded" as const };
      assert.deepEqual(await a.store.settle([unknown]), [false]);
    },
  },
  {
    name: "of several settlements of one attempt, one is written",
    group: "fencing",
    async run(stage) {
      const { store } = await stage.open();
      const ids = await put(store, {}, {});
      const [a, b] = await take(store);
      assert.ok(a && b);
      const batch = await store.settle([
        ending(a, "succeeded", { result: "1" }),
        ending(a, "failed"),
        { id: "nobody", token: 1, end: "failed" },
        ending(b, "released"),
      ]);
      assert.deepEqual(
        batch,
        [true, false, false, true],
        "an answer for each, in their order; one does not spoil others",
      );
      const job = await takeOne(store);
      const begun = [1, 2, 3, 4].map((result) =>
        store.settle([ending(job, "succeeded", { result: `${result}` })]),
      );
      const written = (await Promise.all(begun)).flat();
      assert.equal(written.filter(Boolean).length, 1, "also of those that are begun at the same time");
      const { result } = await recordOf(store, ids[1] ?? "");
      assert.equal(result, written.indexOf(true) + 1, "and it is the one that was told so");
    },
  },
  {
    name: "a lease lasts a whole length from its renewal; a check does not extend it; after its end it is good for nothing",
    group: "fencing",
    async run(stage) {
      const { store } = await stage.open({ endsLeases: true });
      await put(store, {}, {});
      const [renewed, checked] = await take(store);
      assert.ok(renewed && checked);
      await stage.elapseLease(0.6);
      assert.deepEqual(await store.renew([renewed]), ["held"]);
      assert.deepEqual(await store.check([checked, renewed]), ["held", "held"]);
      await stage.elapseLease(0.6);
      // No claim has been made since: nobody has put anything right.
      await isLost(store, checked, "after its lease has ended, though nobody reclaimed the job");
      await finish(store, renewed, "succeeded");
      const other = await stage.open();
      await stage.bench.elapse(1_200);
      const again = await takeOne(other.store);
      assert.equal(again.id, checked.id);
      await isLost(store, checked, "after another claimed the job");
      await finish(other.store, again);
    },
  },
  {
    name: "many settle and claim at the same time, and every job is done once",
    group: "fencing",
    async run(stage) {
      const openings = [await stage.open(), await stage.open()];
      const ids = await put(openings[0]!.store, ...Array.from({ length: 40 }, () => ({})));
      const done: string[] = [];
      const work = async (store: JobStore): Promise<void> => {
        for (;;) {
          const jobs: readonly ClaimedJob[] = await take(store, 3);
          if (jobs.length === 0) return;
          const written = await store.settle(jobs.map((job) => ending(job, "succeeded")));
          done.push(...jobs.filter((_, at) => written[at]).map(({ id }) => id));
        }
      };
      await Promise.all(openings.flatMap(({ store }) => [work(store), work(store), work(store)]));
      await work(openings[0]!.store);
      assert.deepEqual(done.toSorted(), ids.toSorted());
      assert.equal((await openings[1]!.store.stats()).succeeded, 40);
    },
  },
];
