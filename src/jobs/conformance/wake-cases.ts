import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { finish, newJob, put, putOne, REASON, take, takeOne, WORK } from "./stage.ts";

/** What engines call by themselves. */
export const wakeCases: readonly CaseDefinition[] = [
  {
    name: "wake(jobs) is called of every opening that works, whenever something has become claimable",
    group: "semantics",
    async run(stage) {
      const [a, b, producer] = [await stage.open(), await stage.open(), await stage.open({ work: false })];
      await stage.untilWoken(b, "jobs", () => putOne(producer.store));
      await stage.untilWoken(a, "jobs", () => putOne(a.store));
      const [first, second] = await take(a.store);
      assert.ok(first && second);
      await stage.untilWoken(b, "jobs", () => finish(a.store, first, "released"));
      await stage.untilWoken(b, "jobs", () =>
        finish(a.store, second, "again", { runAt: stage.inMs(-1_000) }),
      );
      const [third] = await take(b.store);
      assert.ok(third);
      await finish(b.store, third, "failed");
      await stage.untilWoken(a, "jobs", () => b.store.retry(third.id, false));
      await a.store.pause(WORK);
      await stage.untilWoken(b, "jobs", () => a.store.resume(WORK));
      await a.store.pause(undefined);
      await stage.untilWoken(b, "jobs", () => a.store.resume(undefined));
    },
  },
  {
    name: "wake(jobs) is called when a place of a concurrencyKey becomes free",
    group: "semantics",
    capabilities: ["concurrencyKeys"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const limited = { concurrencyKey: "k", concurrencyPerKey: 1 };
      await put(a.store, limited, limited, limited);
      const first = await takeOne(a.store);
      assert.deepEqual(await take(b.store), []);
      await stage.untilWoken(b, "jobs", () => finish(a.store, first));
      const second = await takeOne(b.store);
      await stage.untilWoken(b, "jobs", () => finish(b.store, second));
    },
  },
  {
    name: "wake(cancel) is called of the opening whose job was asked to stop",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open({ work: false })];
      const id = await putOne(b.store);
      await takeOne(a.store);
      await stage.untilWoken(a, "cancel", () => b.store.cancel(id, REASON));
    },
  },
  {
    name: "wake(cancel) is called where a running job was replaced",
    group: "semantics",
    capabilities: ["replace"],
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open({ work: false })];
      await putOne(b.store, { key: "k" });
      await takeOne(a.store);
      const replace = newJob({ key: "k", onConflict: "replace" });
      await stage.untilWoken(a, "cancel", () => b.store.enqueue([replace]));
    },
  },
  {
    name: "wake(end) is called where a claim ended a job, of its own opening too",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open({ work: false })];
      for (const opening of [a, b]) {
        let id = "";
        await stage.untilWoken(opening, "end", async () => {
          id = await putOne(b.store, { expiresAt: stage.inMs(-1_000) });
          await take(a.store);
        });
        assert.equal((await b.store.ended([id])).length, 1, "it has ended: no attempt began in time");
      }
    },
  },
  {
    name: "wake(end) is called where a job was replaced, of its own opening too",
    group: "semantics",
    capabilities: ["replace"],
    async run(stage) {
      const [a, b] = [await stage.open({ work: false }), await stage.open({ work: false })];
      const runAt = stage.inMs(3_600_000);
      for (const opening of [a, b]) {
        const id = await putOne(a.store, { key: "k", runAt, onConflict: "replace" });
        const replace = newJob({ key: "k", runAt, onConflict: "replace" });
        await stage.untilWoken(opening, "end", () => a.store.enqueue([replace]));
        assert.equal((await b.store.ended([id])).length, 1);
      }
    },
  },
  {
    name: "wake(end) is called of other openings when a job has ended, also of those that do not work",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open({ work: false })];
      await put(b.store, {}, {});
      const job = await takeOne(a.store);
      await stage.untilWoken(b, "end", () => finish(a.store, job));
      const [queued] = (await a.store.list({ state: "queued", limit: 1 })).jobs;
      assert.ok(queued);
      await stage.untilWoken(b, "end", () => a.store.cancel(queued.id, REASON));
    },
  },
];
