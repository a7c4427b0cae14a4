import { describe, expect, test } from "vitest";
import { Child, commandOf, placeOf, STORIES } from "./child.ts";

const READY = /^ready (\d+)$/m;
/** drain + grace of the short stories, and what the issue of an end may take beyond. */
const SHORT_LIMIT = 300 + 300 + 2000;
const PATIENT_LIMIT = 300 + 2000 + 2000;

describe("a signal", () => {
  test("drains what runs, cancels the services, cleans up, and exits 0", async () => {
    const child = await Child.at(READY, "clean drain");
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0, signal: null });
    expect(child.stdout).toMatch(/finished\nclean-up\n$/);
    expect(child.report).toMatchObject({
      holdfast: "report",
      name: "demo",
      pid: child.process.pid,
      cause: "signal",
      signal: "SIGTERM",
      exitCode: 0,
      succeeded: 1,
      cancelled: 1,
      abandoned: [],
      errors: [],
    });
  });

  test("cancels what does not end in the drain, and still exits 0", async () => {
    const child = await Child.at(READY, "drain that times out");
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0 });
    expect(child.stdout).toMatch(/cancelled/);
    expect(child.report).toMatchObject({ succeeded: 0, cancelled: 1, abandoned: [] });
    expect(child.report.ms).toBeGreaterThanOrEqual(299);
  });

  test("names a task that ignores cancel, exits 1, and is gone within drain + grace + 2 s", async () => {
    const child = await Child.at(READY, "a task that ignores cancel");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report).toMatchObject({
      exitCode: 1,
      abandoned: [{ path: "demo/stubborn", state: "abandoned", attributes: { order: 7 } }],
    });
    expect(child.report.abandoned[0]?.age).toBeGreaterThanOrEqual(599);
  });

  // The lines come within a second or not at all: a machine that is busy with other things may not have one to spare.
  test("says at which line each task waits that ignores cancel", { retry: 3 }, async () => {
    const child = await Child.at(READY, "several that ignore cancel");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(PATIENT_LIMIT);
    const found = new Map(child.report.abandoned.map(({ path, awaiting }) => [path, awaiting]));
    const hang = { file: STORIES, ...placeOf("await forever;"), function: "hang" };
    const inner = { file: STORIES, ...placeOf("await forever)()"), function: "" };
    expect(found.get("demo/shielded")).toEqual([hang]);
    expect(found.get("demo/two things")).toHaveLength(2);
    expect(found.get("demo/two things")).toEqual(expect.arrayContaining([hang, inner]));
    expect(found.get("demo/no await of its own")).toBeUndefined();
  });

  test("during start-up cancels the body", async () => {
    const child = await Child.at(READY, "start-up that takes for ever");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 0 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report).toMatchObject({ cancelled: 1, errors: [] });
  });

  test("during start-up: what the body cannot start any more is no failure", async () => {
    const child = await Child.at(READY, "start-up that still starts things");
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0 });
  });

  test("half a second after another exits at once, with 128 + n", async () => {
    const child = await Child.at(READY, "half a second");
    child.kill("SIGTERM");
    await child.untilSaid(/half a second later/);
    const end = await child.endBy("SIGINT");
    expect(end).toMatchObject({ code: 130 });
    expect(end.ms).toBeLessThan(5000);
    expect(child.report).toMatchObject({
      signal: "SIGTERM",
      forcedBy: "SIGINT",
      exitCode: 130,
      abandoned: [{ path: "demo/waiting", state: "running" }],
    });
  });

  test("right after another does not count", async () => {
    const child = await Child.at(READY, "two at once");
    child.kill("SIGINT");
    await child.untilSaid(/^SIGINT$/m);
    expect(await child.endBy("SIGINT")).toMatchObject({ code: 0 });
    expect(child.stdout).toMatch(/finished/);
  });

  test("first lets readiness say no, then stops intake, then drains", async () => {
    const child = await Child.at(READY, "intake");
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0 });
    expect(child.stdout.split("\n").slice(1)).toEqual([
      "first: ready false, open true, scope open",
      "second: ready false, open false, scope open",
      "stopped: ready false, open false, scope open",
      "finished",
      "",
    ]);
    expect(child.report.ms).toBeGreaterThanOrEqual(99);
  });

  test("is not outlived by a storm of failures", async () => {
    const child = await Child.at(READY, "failure storm");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    const { report } = child;
    expect(report).toMatchObject({ cause: "signal", failed: 50, abandoned: [{ path: "demo/stubborn" }] });
    expect(report.errors).toHaveLength(20);
    expect(report.uncaught).toBeGreaterThan(10);
    expect(child.records.filter(({ holdfast }) => holdfast === "uncaught")).toHaveLength(10);
  });

  test("is not outlived by a storm that never lets the event loop turn", async () => {
    const child = await Child.at(READY, "a storm that never lets go");
    const end = await child.endBy("SIGTERM");
    expect(end).toMatchObject({ code: 1 });
    expect(end.ms).toBeLessThan(SHORT_LIMIT);
    expect(child.report.errors[0]).toMatchObject({ message: "again and again" });
  });
});

describe("a program", () => {
  test("with a server and no task stays up until it is told to end", async () => {
    const child = new Child(commandOf("server"));
    const [, port] = await child.untilSaid(/listening (\d+)/);
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    expect(await answer.text()).toBe("here");
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 0 });
    expect(child.report).toMatchObject({ cause: "signal", exitCode: 0 });
  });

  test("with nothing left to do ends by itself, and prints nothing", async () => {
    const child = new Child(commandOf("nothing left"));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("clean-up\nafter main\n");
    expect(child.stderr).toBe("");
  });

  test("has one main()", async () => {
    const child = new Child(commandOf("two mains"));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("refused: HF_MAIN_RUNNING\nafter main\n");
  });

  test("is held by exactly one handle while a task lives that has none", async () => {
    const child = new Child(commandOf("a task without a handle"));
    const [, handles] = await child.untilSaid(/held by (.*)/);
    // The pipes are standard output and standard error.
    expect(handles?.split(",").filter((handle) => handle !== "PipeWrap")).toEqual(["Timeout"]);
    expect(await child.endBy("SIGTERM")).toMatchObject({ code: 1 });
    expect(child.report.abandoned).toMatchObject([{ path: "demo/pending" }]);
  });

  test("is let go when the last such task has ended", async () => {
    const child = new Child(commandOf("a task without a handle that ends"));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("ended\nafter main\n");
  });

  test("that asks to close drains, and ends", async () => {
    const child = new Child(commandOf("request to close"));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toBe("finished\n");
    expect(child.report).toMatchObject({ cause: "requested", reason: "that was all" });
  });

  test("exits 0 where failures went to onError", async () => {
    const child = new Child(commandOf("failures of tasks"));
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toMatch(/onError: Error: delivered/);
  });
});

describe("without a drain, exit 1:", () => {
  test.each(["uncaught exception", "unhandled rejection"])("%s", async (story) => {
    const child = new Child(commandOf(story));
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.records[0]).toMatchObject({
      holdfast: "uncaught",
      task: "demo/main",
      error: { message: "boom" },
    });
    expect(child.report).toMatchObject({ cause: "uncaught", cancelled: 1, uncaught: 1, exitCode: 1 });
  });

  test("a body that fails", async () => {
    const child = new Child(commandOf("body fails"));
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.report).toMatchObject({
      cause: "body",
      cancelled: 1,
      errors: [{ message: "no database", cause: { message: "ECONNREFUSED" } }],
    });
  });

  test("a service past its intensity", async () => {
    const child = new Child(commandOf("escalation"));
    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.stdout).toBe("onError: Error: crash\n");
    expect(child.report).toMatchObject({ cause: "escalation", errors: [{ message: "crash" }] });
  });
});
