import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openScope } from "../../src/core/index.ts";
import { leakGate } from "../../src/testing/index.ts";
import { rejection } from "./stage.ts";

// The platform's own clock, with the runner's fake timers in its place: they keep the limits of the real ones.
let gate: () => Promise<void>;
const day = 86_400_000;

beforeEach(() => {
  gate = leakGate();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});

afterEach(async () => {
  vi.useRealTimers();
  await gate();
});

test("4.2 Time: durations beyond the timers' 2³¹ − 1 ms are chained on the platform's own timers", async () => {
  const app = openScope("app");
  const setTimer = vi.spyOn(globalThis, "setTimeout");
  const task = app.spawn("a", (self) => self.sleep("60d").then(() => "slept"));
  await vi.advanceTimersByTimeAsync(59 * day);
  expect(task.state).toBe("running");
  await vi.advanceTimersByTimeAsync(day);
  expect(await task).toBe("slept");
  for (const [, ms] of setTimer.mock.calls) expect(ms).toBeLessThanOrEqual(2 ** 31 - 1);
  expect(setTimer.mock.calls.length).toBeLessThan(10);
  await app.close();
  setTimer.mockRestore();
});

test("9 the runner's fake timers drive all of it, without the manual clock", async () => {
  const app = openScope("app");
  const ticks: number[] = [];
  const began = Date.now();
  app.every("tick", "1s", () => void ticks.push(Date.now() - began));
  const slow = app.spawn("slow", (self) => self.sleep("1h"), { timeout: "2500ms" });
  const error = rejection(slow);
  await vi.advanceTimersByTimeAsync(3000);
  expect(ticks).toEqual([1000, 2000, 3000]);
  expect(await error).toMatchObject({ name: "TimeoutError" });
  await app.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("4.5 one timer of the platform serves all that sleep", async () => {
  const app = openScope("app");
  for (let n = 1; n <= 1000; n++) app.spawn("sleeper", (self) => self.sleep(n * 1000));
  await Promise.resolve();
  await Promise.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(1);
  await app.cancel();
  expect(vi.getTimerCount()).toBe(0);
});
