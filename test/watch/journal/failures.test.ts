import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromFailureRow, toFailureRow } from "../../../src/watch/journal/format.ts";
import { readJournals } from "../../../src/watch/journal/reader.ts";
import { replay } from "../../../src/watch/journal/replay.ts";
import { openJournal } from "../../../src/watch/journal/writer.ts";
import { folder, onlyFile } from "./place.ts";

const storyOf = (place: string): ReturnType<typeof replay> => replay(readFileSync(onlyFile(place)));

test("what failed unheard is told with its stack, how often it came, and since when", () => {
  const place = folder();
  const journal = openJournal({ name: "shop", folder: place });
  const again = new Error("again");
  journal.failed("rejection", again);
  journal.flush();
  journal.failed("exception", "no error at all");
  journal.failed("rejection", again);
  journal.flush();
  const [thrown, rejected, ...others] = storyOf(place)?.failures ?? [];
  expect(others).toEqual([]);
  expect(thrown).toMatchObject({ origin: "exception", text: "NonError: no error at all", count: 1 });
  expect(rejected).toMatchObject({ origin: "rejection", count: 2 });
  expect(rejected?.text).toBe(again.stack);
  expect(rejected?.firstAt).toBeLessThanOrEqual(rejected?.lastAt ?? 0);
  expect(journal.failures).toEqual([thrown, rejected]);
});

test("of many different ones the newest 20 are kept, each cut, and a file that is written anew has them", () => {
  const place = folder();
  const journal = openJournal({ name: "shop", folder: place, maxBytes: 1 << 17 });
  for (let round = 0; round < 500; round++) {
    journal.failed("rejection", `${round} ${"long ".repeat(1000)}`);
    journal.flush();
  }
  const { failures = [] } = storyOf(place) ?? {};
  const kept = failures.filter(({ lastAt }) => lastAt >= 0).map(({ text }) => Number(/\d+/.exec(text)?.[0]));
  expect(kept).toEqual(Array.from({ length: 20 }, (_, at) => 480 + at));
  expect(journal.failures.map(({ text }) => text.length)).toEqual(Array.from({ length: 20 }, () => 2000));
  expect(readFileSync(onlyFile(place)).length).toBeLessThanOrEqual(1 << 17);
});

test("an end with failures is told by its exit code; one that is clean leaves nothing", () => {
  const place = folder();
  const journal = openJournal({ name: "shop", folder: place });
  journal.failed("rejection", new Error("no"));
  journal.close(false, 7);
  journal.failed("rejection", new Error("too late"));
  expect(storyOf(place)).toMatchObject({ end: "unclean", exitCode: 7, failures: [{ count: 1 }] });
  openJournal({ name: "other", folder: place }).close(true, 0);
  expect(onlyFile(place)).toContain("shop");
  expect(readJournals({ folder: place })).toEqual([]);
});

test("a row of a failure says what the failure says", () => {
  const moment = fc.integer({ min: 0, max: 2 ** 42 });
  const failure = fc.record({
    origin: fc.constantFrom("exception" as const, "rejection" as const),
    text: fc.string({ unit: "binary" }),
    count: fc.integer({ min: 1 }),
    firstAt: moment,
    lastAt: moment,
  });
  fc.assert(
    fc.property(failure, moment, (own, at) => {
      expect(fromFailureRow(JSON.parse(JSON.stringify(toFailureRow(own, at))), at)).toEqual(own);
    }),
    { numRuns: 1000 },
  );
});

test("rows that are none make a line unreadable, and not the reader", () => {
  for (const row of [
    null,
    7,
    [],
    ["other", "text", 1, 0, 0],
    ["rejection", 5, 1, 0, 0],
    ["rejection", "text", "1", 0, 0],
  ])
    expect(fromFailureRow(row, 0)).toBeUndefined();
});
