import { assert as holds, property, string } from "fast-check";
import { expect, test } from "vitest";

import type { Database } from "../../../src/jobs/postgres/database.ts";
import type { Boss } from "../../../src/jobs/postgres/driver.ts";
import { Ids, timeOf } from "../../../src/jobs/postgres/ids.ts";
import { Queues } from "../../../src/jobs/postgres/queues.ts";
import { fromText, isId, toText } from "../../../src/jobs/postgres/text.ts";

/** Any UTF-16 at all, halves of pairs and NUL included. */
const anyText = string({ unit: "binary" }).chain((text) =>
  string({ unit: "binary-ascii" }).map((more) => text + more + (more.length % 3 === 0 ? '\0\ud800"' : "")),
);

test("any text comes back from what Postgres can hold", () => {
  holds(
    property(anyText, (text) => {
      const held = toText(text);
      expect(held).not.toMatch(/[\0\p{Surrogate}]/u);
      expect(fromText(held)).toBe(text);
    }),
  );
});

test("queues have names that pg-boss takes, and different ones for different jobs", () => {
  const queues = new Queues({} as Database, "holdfast", {} as Boss, 10);
  holds(
    property(anyText, anyText, (a, b) => {
      expect(queues.of(a)).toMatch(/^[\w.\-/]{1,200}$/);
      expect(queues.of(a) === queues.of(b)).toBe(a === b);
    }),
  );
  const alike = [
    "a/0020b",
    "a b",
    "a/b",
    "a",
    "",
    "/",
    "//",
    "x".repeat(100),
    "x".repeat(101),
    "x".repeat(201),
  ];
  expect(new Set(alike.map((name) => queues.of(name))).size).toBe(alike.length);
});

test("ids grow, whatever the clock does, and are UUIDs of version 7", () => {
  const walls = [1_000, 1_000, 999, 5, 2_000_000_000_000, 3, 2_000_000_000_001];
  let at = 0;
  const ids = new Ids(() => walls[Math.floor(at++ / 5_000) % walls.length] ?? 0);
  let before = "";
  for (let count = 0; count < 35_000; count++) {
    const id = ids.next();
    if (!isId(id) || id <= before) expect.fail(`${id} after ${before}`);
    before = id;
  }
  expect(before[14]).toBe("7");
  expect("89ab").toContain(before[19]);
});

test("ids tell when they were made, by the time of the database as it is known from its answers", () => {
  let now = 500;
  const ids = new Ids(() => now);
  const madeAt = (): number => timeOf(ids.next());
  ids.sync(10_000, 500, 500);
  expect(madeAt()).toBe(10_000);
  now = 1_500;
  expect(madeAt()).toBe(11_000);
  // An answer that was long on its way says little: it was so late somewhere between.
  ids.sync(10_900, 1_200, 1_500);
  expect(madeAt()).toBe(11_000);
  ids.sync(12_500, 1_400, 1_500);
  expect(madeAt()).toBe(12_500);
});
