import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

import { engineClock } from "../../src/jobs/engine-clock.ts";
import { useManualClock } from "../../src/testing/index.ts";

test("the clock is that of the machine: another process reads it later, and not much", () => {
  const before = engineClock.now();
  const [seconds, nanoseconds] = JSON.parse(
    execFileSync(process.execPath, ["-p", "JSON.stringify(process.hrtime())"], { encoding: "utf8" }),
  ) as [number, number];
  const there = seconds * 1e3 + nanoseconds / 1e6;
  expect(there).toBeGreaterThan(before);
  expect(there).toBeLessThan(engineClock.now());
});

test("a test that replaces the clock of holdfast moves this one, and its timers", async () => {
  const clock = useManualClock({ wall: 5 });
  const before = engineClock.now();
  const fired: string[] = [];
  engineClock.later(100, () => fired.push("busy"));
  engineClock.later(100, () => fired.push("idle"), true);
  const stop = engineClock.later(100, () => fired.push("stopped"), true);
  stop();
  await clock.advance(300);
  expect(fired.toSorted()).toEqual(["busy", "idle"]);
  expect(engineClock.now() - before).toBeCloseTo(300);
  expect(engineClock.wall()).toBe(305);
  clock.uninstall();
});
