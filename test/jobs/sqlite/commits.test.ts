import { join } from "node:path";
import { expect, test } from "vitest";

import { claim, folder, newJob, open } from "./opened.ts";

test("what is begun in one turn is applied in that order, and read in it", async () => {
  const { store } = await open(":memory:");
  const stored = store.enqueue([newJob(), newJob()]);
  const before = store.stats();
  const claimed = claim(store);
  const after = store.stats();
  expect(await stored).toEqual([
    { id: "1", isNew: true },
    { id: "2", isNew: true },
  ]);
  expect(await before).toMatchObject({ queued: 2, running: 0 });
  expect((await claimed).map(({ id }) => id)).toEqual(["1", "2"]);
  expect(await after).toMatchObject({ queued: 0, running: 2 });
});

test("only what refuses is rejected of all that was begun in a turn", async () => {
  const { store } = await open(":memory:");
  await store.enqueue([newJob({ key: "taken" })]);
  const outcomes = await Promise.allSettled([
    store.enqueue([newJob()]),
    store.enqueue([newJob(), newJob({ key: "taken", onConflict: "reject" })]),
    // Its key is taken by one that comes with it: that shows only when half of it is written.
    store.enqueue([newJob({ key: "new" }), newJob({ key: "new", onConflict: "reject" })]),
    store.enqueue([newJob()]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect(await store.stats()).toMatchObject({ queued: 3, names: { deliver: { queued: 3 } } });
  // A number that was given out by what was taken back is given again.
  expect(await store.enqueue([newJob({ key: "new" })])).toEqual([{ id: "4", isNew: true }]);
});

test("a thousand that begin in one turn with one bad one in them cost no thousand transactions", async () => {
  const { store } = await open(join(folder(), "jobs.db"));
  const bad = newJob({ priority: "high" as unknown as number });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 1000 }, (_, at) => store.enqueue([at === 700 ? bad : newJob()])),
  );
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(1);
  expect(outcomes[700]?.status).toBe("rejected");
  expect((await store.stats()).queued).toBe(999);
});

test("more than may wait is refused at once", async () => {
  const { store } = await open(":memory:");
  const many = Array.from({ length: 60_000 }, () => newJob());
  const outcomes = await Promise.allSettled([
    store.enqueue(many),
    store.enqueue(many),
    store.enqueue([newJob()]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[1]).toMatchObject({ reason: { code: "HF_ENGINE_BUSY" } });
});

test("a close waits for what has begun", async () => {
  const { store } = await open(join(folder(), "jobs.db"));
  const stored = store.enqueue([newJob()]);
  await Promise.all([store.close(), store.close()]);
  expect(await stored).toEqual([{ id: "1", isNew: true }]);
  await expect(store.enqueue([newJob()])).rejects.toMatchObject({ code: "HF_ENGINE_CLOSED" });
});
