import { expect, test } from "vitest";

import { engineClock } from "../../../src/jobs/engine-clock.ts";
import { claim, newJob, open } from "./opened.ts";

const tenant = (more = {}) => newJob({ concurrencyKey: "acme", concurrencyPerKey: 1, ...more });

test("a job that ranks higher takes the place of one of its key that is ready", async () => {
  const { store } = await open(":memory:");
  await store.enqueue([tenant(), tenant({ priority: 5 }), tenant({ priority: 9 })]);
  const [first, ...rest] = await claim(store);
  expect(first).toMatchObject({ id: "3" });
  expect(rest).toEqual([]);
  await store.settle([{ id: "3", token: 1, end: "succeeded" }]);
  expect(await claim(store)).toMatchObject([{ id: "2" }]);
});

test("a lower bound takes places back from what does not run, and a higher one gives more", async () => {
  const { store } = await open(":memory:");
  await store.enqueue([tenant({ concurrencyPerKey: 3 }), tenant({ concurrencyPerKey: 3 }), tenant()]);
  expect(await claim(store)).toMatchObject([{ id: "1" }]);
  await store.enqueue([tenant({ concurrencyPerKey: 3 })]);
  expect(await claim(store)).toMatchObject([{ id: "2" }, { id: "3" }]);
});

test("two of one key that expire together give one place back", async () => {
  let ahead = 0;
  const clock = { ...engineClock, wall: () => engineClock.wall() + ahead };
  const { store } = await open(":memory:", {}, { clock });
  const expiresAt = clock.wall() + 10_000;
  await store.enqueue([tenant({ expiresAt }), tenant({ expiresAt }), tenant(), tenant()]);
  ahead = 20_000;
  expect(await claim(store)).toMatchObject([{ id: "3" }]);
  expect(await store.stats()).toMatchObject({ queued: 1, running: 1, failed: 2 });
});
