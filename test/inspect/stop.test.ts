import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fixture, printedDump, Program, stateOf } from "./programs.ts";

const onLinux = describe.skipIf(process.platform !== "linux");

/** Resolves as soon as a process is in a state. */
async function untilState(pid: number, wanted: RegExp): Promise<void> {
  while (!wanted.test(stateOf(pid))) await new Promise((resolve) => void setImmediate(resolve));
}

/** A reader that has just stopped a process. The stop is short, and a busy machine may not see it: then once more. */
async function readerInTheMiddle(target: Program, options: { detached?: boolean } = {}): Promise<Program> {
  for (;;) {
    const reader = new Program(
      process.execPath,
      ["--no-warnings", fixture("dumps.ts"), String(target.pid), "stop"],
      options,
    );
    let hasEnded = false;
    void reader.ended.then(() => (hasEnded = true));
    while (!hasEnded) {
      if (/[Tt]/.test(target.state)) return reader;
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }
}

/** It counts on, after this. */
async function untilRunsOn(target: Program): Promise<void> {
  await untilState(target.pid, /[^Tt]/);
  target.output = "";
  await target.untilSaid(/count \d+\n[^]*count \d+\n/);
}

/** Keepers of a process, by what they are started with. */
function keepersOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => {
      try {
        return readFileSync(`/proc/${one}/cmdline`, "latin1").includes(`})(${pid});`);
      } catch {
        // It has ended in between.
        return false;
      }
    });
}

onLinux("a dump with stop", () => {
  test("stops the process twice, for a moment each, and lets it go on", async () => {
    const target = await Program.node("waits.cjs", ["counting"]);
    const printed = printedDump([String(target.pid), "stop"]);
    expect(printed.functions).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "inner", line: 10, awaitedBy: ["outer"] }),
        expect.objectContaining({ name: "outer", line: 6, awaitedBy: [] }),
      ]),
    );
    expect(printed.target?.stops.length).toBeGreaterThanOrEqual(2);
    await untilRunsOn(target);
    expect(keepersOf(target.pid)).toEqual([]);
  });

  test.each([
    ["the reader", 1],
    ["the whole process group of the reader", -1],
  ])("lets the process go on where %s is killed in the middle", async (_, sign) => {
    const target = await Program.node("waits.cjs", ["counting"]);
    const reader = await readerInTheMiddle(target, { detached: true });
    process.kill(sign * reader.pid, "SIGKILL");
    await reader.ended;
    await untilRunsOn(target);
  });

  test("lets the process go on where the keeper is killed in the middle", async () => {
    const target = await Program.node("waits.cjs", ["counting"]);
    const reader = await readerInTheMiddle(target);
    for (const keeper of keepersOf(target.pid)) process.kill(keeper, "SIGKILL");
    await reader.ended;
    await untilRunsOn(target);
  });

  test("leaves a process stopped that was stopped before, and says so", async () => {
    const target = await Program.node("waits.cjs", ["counting"]);
    target.process.kill("SIGSTOP");
    await untilState(target.pid, /T/);
    const printed = printedDump([String(target.pid), "stop"]);
    expect(printed.target).toMatchObject({ wasStopped: true, stops: [], wasIdle: true });
    expect(printed.functions?.map(({ name }) => name)).toEqual(expect.arrayContaining(["inner", "outer"]));
    expect(printed.warnings).toEqual([expect.stringContaining("SIGCONT")]);
    expect(target.state).toBe("T");
  });
});
