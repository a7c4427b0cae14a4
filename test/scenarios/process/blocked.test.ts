import { describe, expect, test } from "vitest";
import { Child, placeOf } from "./child.ts";

const READY = /^ready (\d+)$/m;
const SHORT_LIMIT = 300 + 300 + 2000;
const PATIENT_LIMIT = 300 + 2000 + 2000;

describe("an event loop that is blocked", () => {
  test("by a task, before the signal: the task is named with its line, exit 1, within the deadline", async () => {
    const child = await Child.at(READY, "blocked before");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1, signal: null });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    const { report } = child;
    expect(report).toMatchObject({ cause: "signal", signal: "SIGTERM", exitCode: 1 });
    expect(report.blocked).toMatchObject({ task: "demo/spinner" });
    expect(report.blocked?.stack).toMatch(/^at spin .*stories\.ts:\d+:\d+\)/);
    expect(report.abandoned.map(({ path }) => path)).toEqual(["demo/sleeping", "demo/spinner"]);
    // Nothing but lines of ours: Node's own notice of an open inspector session is kept out.
    expect(child.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("by the body, from its first turn on", async () => {
    const child = await Child.at(READY, "blocked at once");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report).toMatchObject({
      blocked: { task: "demo/main" },
      abandoned: [{ path: "demo/main" }],
    });
  });

  test("by a task, during the drain", async () => {
    const child = await Child.at(READY, "blocked during");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report).toMatchObject({
      blocked: { task: "demo/spinner" },
      abandoned: [{ path: "demo/spinner" }],
    });
  });

  test("and comes free again: the drain is shorter by what it cost", async () => {
    const child = await Child.at(READY, "blocked for a while");
    const end = await child.endBy("SIGTERM");
    expect(child.stdout).toMatch(/free again/);
    expect(end).toMatchObject({ code: 0 });
    expect(child.report).toMatchObject({ cancelled: 1 });
    expect(child.report.ms).toBeGreaterThanOrEqual(1400);
    expect(end.ms).toBeLessThan(1500 + 300 + 2000);
  });

  test.skipIf(process.platform === "win32")(
    "in native code: the process is killed, after the words",
    async () => {
      const child = await Child.at(READY, "blocked in native code");
      const end = await child.endBy("SIGTERM");
      expect(end).toMatchObject({ signal: "SIGKILL" });
      expect(end.ms).toBeLessThan(SHORT_LIMIT);
      expect(child.report).toMatchObject({
        signal: "SIGTERM",
        exitCode: 137,
        blocked: { native: true },
        abandoned: [{ path: "demo/caller" }],
      });
    },
  );

  // As in ending.test.ts: the lines come in time, or not at all.
  test("by a task, while another waits: both are named with their lines", { retry: 6 }, async () => {
    const child = await Child.at(READY, "blocked, and another waits");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(PATIENT_LIMIT);
    const { blocked, abandoned } = child.report;
    expect(blocked?.stack).toMatch(/^at spin /);
    expect(abandoned).toMatchObject([
      { path: "demo/waiting", awaiting: [{ ...placeOf("await forever;"), function: "hang" }] },
      { path: "demo/spinner" },
    ]);
  });

  test("in native code, while another waits: both are named", { retry: 6 }, async () => {
    const child = await Child.at(READY, "blocked in native code, and another waits");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ signal: "SIGKILL" });
    expect(end.ms).toBeLessThan(PATIENT_LIMIT);
    const awaiting = [{ ...placeOf("await forever;"), function: "hang" }];
    expect(child.report.blocked).toMatchObject({
      native: true,
      waiting: [{ path: "demo/waiting", awaiting }],
    });
  });

  test("before two signals: the second one ends it, with 128 + n", async () => {
    const child = await Child.at(READY, "blocked, and counting");
    child.kill("SIGTERM");
    const [, count] = await child.untilSaid(/count (\d+)\n$/);
    // From one line to the next is more than half a second.
    await child.untilSaid(new RegExp(`count ${Number(count) + 1}`));
    const end = await child.endBy("SIGINT");
    expect(end).toMatchObject({ code: 130 });
    expect(end.ms).toBeLessThan(5000);
    expect(child.report).toMatchObject({
      signal: "SIGTERM",
      forcedBy: "SIGINT",
      exitCode: 130,
      blocked: { task: "demo/counter" },
    });
  });

  test("by a listener of exit, after the report", async () => {
    const child = await Child.at(READY, "blocked by an exit listener");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 0 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report).toMatchObject({ exitCode: 0 });
  });
});

test("a program that may start no threads says so, and ends like any other", async () => {
  const child = await Child.at(READY, "clean drain", ["--permission", "--allow-fs-read=*"]);
  await child.untilSaid(/HF_NO_GUARD.*deadline is not kept/);
  expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0 });
  expect(child.report).toMatchObject({ succeeded: 1 });
});
