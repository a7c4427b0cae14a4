import { afterAll, beforeAll, expect, test } from "vitest";
import type { DeadProcess } from "../../../src/watch/journal/reader.ts";
import { toReport } from "../../../src/watch/journal/report.ts";
import { toText } from "../../../src/watch/journal/text.ts";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "UTC";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const AT = Date.UTC(2026, 10, 26, 14, 3, 7);
const dead = (more: Partial<DeadProcess> = {}): DeadProcess => ({
  name: "courier",
  pid: 4711,
  startedAt: AT - 3_725_000,
  lastSweepAt: AT,
  node: "24.21.0",
  host: "box",
  running: [],
  unlisted: 0,
  failures: [],
  hasEnded: false,
  isTorn: false,
  isArchived: false,
  file: "/nowhere",
  ...more,
});

test("a dead process in words, 80 columns wide", () => {
  const text = toText(
    dead({
      isTorn: true,
      running: [
        { id: 3, path: "courier/poller", createdAt: AT - 3_724_000, startedAt: AT - 900, attempt: 4 },
        {
          id: 1204,
          path: "courier/background/fan-out/recipient/deliver",
          createdAt: AT - 63_000,
          startedAt: AT - 63_000,
          attempt: 1,
          key: "deliver:42",
          progress: { done: 340, total: 1000, note: "page 4 of the list that was asked for", at: AT - 2000 },
        },
        { id: 1205, path: "courier/background/fan-out", createdAt: AT - 20, attempt: 0 },
      ],
      unlisted: 7,
    }),
  );
  expect(text).toBe(
    [
      "courier (pid 4711, Node 24.21.0) died without a word",
      "  started 2026-11-26 13:01:02, wrote last 2026-11-26 14:03:07 (and half a line)",
      "  10 tasks ran:",
      "    courier/poller (#3)",
      "        for 1 h 2 m, attempt 4 for 900 ms",
      "    courier/background/fan-out/recipient/deliver (#1204)",
      "        for 1 m 3 s, key deliver:42, 340 of 1,000 done 2 s before: page 4 of the",
      "        list that was asked for",
      "    courier/background/fan-out (#1205)",
      "        waited for 20 ms",
      "    … and 7 more",
    ].join("\n"),
  );
  expect(text.split("\n").every((line) => line.length <= 80)).toBe(true);
});

test("the number of tasks is in words", () => {
  const task = { id: 1, path: "a/b", createdAt: AT, startedAt: AT, attempt: 1 };
  expect(toText(dead())).toContain("  no task ran");
  expect(toText(dead({ running: [task] }))).toContain("  1 task ran:\n    a/b (#1)\n        for 0 ms");
  expect(toText(dead({ hasEnded: true }))).toContain("ended, but not its tasks");
});

test("no more tasks are listed than wanted, and how many are left out is said", () => {
  const running = Array.from({ length: 1500 }, (_, id) => ({ id, path: "a/b", createdAt: AT, attempt: 0 }));
  const shown = (limit?: number): number => toText(dead({ running }), { limit }).split("#").length - 1;
  expect(shown()).toBe(20);
  expect(toText(dead({ running }))).toMatch(/ {4}… and 1,480 more$/);
  expect(shown(3)).toBe(3);
  expect(shown(0)).toBe(1500);
});

test("what names and notes hold cannot command a terminal", () => {
  const running = [
    { id: 1, path: "a/\u001B[2J\u202Eb", createdAt: AT, attempt: 1, startedAt: AT, key: "x\ny" },
  ];
  const text = toText(dead({ name: "evil\u0007", running }));
  // oxlint-disable-next-line no-control-regex -- that none is there
  expect(text).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u202E]/);
  expect(text).toContain("a/\uFFFD[2J\uFFFDb (#1)");
  expect(text).toContain("key x\uFFFDy");
});

test("the report for machines lists 100 tasks, and says how many it leaves out", () => {
  const running = Array.from({ length: 150 }, (_, id) => ({ id, path: "a/b", createdAt: AT, attempt: 0 }));
  const report = toReport(dead({ running, unlisted: 5 }));
  expect(report).toMatchObject({ holdfast: "died", name: "courier", pid: 4711, omitted: 55 });
  expect(report.running).toEqual(running.slice(0, 100));
  expect(report).not.toHaveProperty("hasEnded");
  expect(toReport(dead({ hasEnded: true }))).toMatchObject({ hasEnded: true, running: [] });
});
