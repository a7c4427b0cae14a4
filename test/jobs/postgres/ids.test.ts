import { expect, test } from "vitest";

import { Ids, timeOf } from "../../../src/jobs/postgres/ids.ts";

const version7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

test("ids are UUIDs of version 7, and each is greater than the one before, also where the clock stands", () => {
  let now = 1_700_000_000_000;
  const ids = new Ids(() => now);
  const made: string[] = [];
  // More than a millisecond has numbers for, and more than there is noise for at once.
  for (let i = 0; i < 10_000; i++) {
    if (i === 9_000) now += 10;
    made.push(ids.next());
  }
  expect(made.filter((id) => !version7.test(id))).toEqual([]);
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made.map((id) => id.slice(20))).size).toBe(made.length);
  expect([timeOf(made[0] ?? ""), timeOf(made.at(-1) ?? "")]).toEqual([now - 10, now]);
});

test("ids begin with the time of the database, as exactly as it is known", () => {
  const ids = new Ids(() => 5_000);
  // It was so late at some moment between 4,000 and 4,100 of the own clock, and so late between 4,900 and 5,000.
  ids.sync(1_700_000_000_050, 4_000, 4_100);
  expect(timeOf(ids.next())).toBeGreaterThanOrEqual(1_700_000_000_950);
  expect(timeOf(ids.next())).toBeLessThanOrEqual(1_700_000_001_050);
  ids.sync(1_700_000_001_000, 4_900, 5_000);
  expect(timeOf(ids.next())).toBeGreaterThanOrEqual(1_700_000_001_000);
  expect(timeOf(ids.next())).toBeLessThanOrEqual(1_700_000_001_100);
});
