import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { fromTaskRow, toTaskRow } from "../../../src/watch/journal/format.ts";
import { replay } from "../../../src/watch/journal/replay.ts";
import { openJournal } from "../../../src/watch/journal/writer.ts";
import type { JournalTask } from "../../../src/watch/journal/writer.ts";
import { Model, simulate, tell } from "./model.ts";
import { folder, onlyFile } from "./place.ts";

const AT = 1_764_165_787_000;
const given = process.env["HOLDFAST_SEED"];
const seed = given === undefined ? (Date.now() ^ (process.pid << 12)) | 0 : Number(given);

/** What the property has seen: one that saw nothing proves nothing. */
const seen = { cuts: 0, flushes: 0, anew: 0, torn: 0, states: new Set<number>() };
afterAll(() => {
  console.log(
    `${seen.cuts} cuts of files with ${seen.flushes} flushes (${seen.anew} times written anew), ${seen.torn} torn; ` +
      `${seen.states.size} different counts of tasks (seed ${seed})`,
  );
});

/** How many steps between two flushes; seldom many. */
const rounds = fc.array(fc.nat(12), { minLength: 1, maxLength: 60, size: "max" });

test("a journal cut at any byte tells the state at the last whole flush before the cut, and never throws", () => {
  const property = fc.property(
    fc.integer(),
    rounds,
    fc.constantFrom(4096, 4096, 1 << 20),
    (start, sizes, maxBytes) => {
      const place = folder();
      const journal = openJournal({ name: "courier", folder: place, maxBytes });
      const file = onlyFile(place);
      const model = new Model();
      const steps = simulate(start, AT, 10);
      /** What was true when the file had so many bytes. */
      let marks: { bytes: number; live: JournalTask[] }[] = [];
      let bytes = readFileSync(file);
      const mark = (): void => {
        const before = bytes;
        bytes = readFileSync(file);
        if (!bytes.subarray(0, before.length).equals(before)) {
          marks = [];
          seen.anew++;
        }
        marks.push({ bytes: bytes.length, live: model.live });
        seen.flushes++;
      };
      mark();
      for (const size of sizes) {
        for (let n = 0; n < size; n++) {
          const { value: step } = steps.next();
          if (step === undefined) break;
          model.apply(step);
          tell(journal, step);
        }
        journal.flush();
        mark();
      }
      journal.close(true);

      const firstLine = bytes.indexOf("\n") + 1;
      let flush = -1;
      for (let cut = 0; cut <= bytes.length; cut++) {
        while ((marks[flush + 1]?.bytes ?? Infinity) <= cut) flush++;
        const story = replay(bytes.subarray(0, cut));
        seen.cuts++;
        const expected = marks[flush]?.live ?? [];
        const isTorn = cut !== (marks[flush]?.bytes ?? firstLine);
        const isRight =
          cut < firstLine
            ? story === undefined
            : isDeepStrictEqual(story?.running, expected) && story?.isTorn === isTorn;
        // Only then: in words it takes a hundred times as long.
        if (!isRight) expect({ cut, ...story }).toMatchObject({ cut, running: expected, isTorn });
        if (story?.isTorn === true) seen.torn++;
        seen.states.add(expected.length);
      }
    },
  );
  fc.assert(property, { seed, numRuns: 30 });
  expect(seen.anew).toBeGreaterThan(0);
  expect(seen.torn).toBeGreaterThan(10_000);
  expect(seen.states.size).toBeGreaterThan(8);
});

test("whatever stands in a file, reading it never throws", () => {
  const lines = fc.array(
    fc.oneof(
      fc.json(),
      fc.constant('{"holdfast":"journal","v":1,"name":"a","pid":1,"startedAt":0,"node":"24","host":"h"}'),
      fc
        .record({
          t: fc.oneof(fc.integer(), fc.jsonValue()),
          p: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
          b: fc.oneof(fc.array(fc.array(fc.oneof(fc.nat(3), fc.jsonValue()))), fc.jsonValue()),
          c: fc.jsonValue(),
          e: fc.jsonValue(),
          f: fc.oneof(fc.array(fc.array(fc.oneof(fc.constant("rejection"), fc.jsonValue()))), fc.jsonValue()),
          x: fc.jsonValue(),
        })
        .map((flush) => JSON.stringify(flush)),
    ),
  );
  fc.assert(
    fc.property(lines, fc.uint8Array(), (texts, end) => {
      replay(Buffer.concat([Buffer.from(texts.join("\n")), end]));
      const head = '{"holdfast":"journal","v":1,"name":"a","pid":1,"startedAt":0,"node":"24","host":"h"}\n';
      const story = replay(Buffer.from(head + texts.map((text) => `${text}\n`).join("")));
      expect(story?.running.every(({ path }) => typeof path === "string")).toBe(true);
    }),
    { seed, numRuns: 2000 },
  );
});

test("a row of a task says what the task says", () => {
  const moment = fc.integer({ min: 0, max: 2 ** 42 });
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n));
  const task = fc.record(
    {
      id: fc.nat(),
      path: fc.string({ unit: "binary" }),
      createdAt: moment,
      attempt: fc.nat(),
      startedAt: moment,
      key: fc.string({ unit: "binary" }),
      progress: fc.record(
        { done: number, total: number, note: fc.string({ unit: "binary" }), at: moment },
        { requiredKeys: ["done", "at"] },
      ),
    },
    { requiredKeys: ["id", "path", "createdAt", "attempt"] },
  );
  fc.assert(
    fc.property(task, moment, (own, at) => {
      const row = JSON.parse(JSON.stringify(toTaskRow(own, 0, at))) as unknown;
      expect(fromTaskRow(row, [own.path], at)).toEqual(own);
    }),
    { seed, numRuns: 2000 },
  );
});
