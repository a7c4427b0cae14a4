import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

// The public face, by name: what appears here is a promise, what disappears breaks somebody's program.
// Types are held by the consumers' tests and by the gate on documentation.
const face: Record<string, string[]> = {
  ".": [
    "DeadlockError",
    "KeyConflictError",
    "NoScopeError",
    "QueueFullError",
    "ScopeClosedError",
    "TaskAbandonedError",
    "TaskCancelledError",
    "TaskLostError",
    "TaskTimeoutError",
    "checkpoint",
    "currentTask",
    "describeError",
    "group",
    "main",
    "watch",
    "openScope",
    "shield",
    "sleep",
    "spawn",
    "timeout",
  ],
  "./fastify": ["default", "holdfast"],
  "./inspect": ["InspectError", "dump", "toJson", "toText"],
  "./jobs": [
    "EngineError",
    "JobCancelledError",
    "JobFailedError",
    "JobInputError",
    "JobKeyConflictError",
    "JobResultError",
    "JobStateError",
    "JobStepError",
    "JobUnknownError",
    "LeaseLostError",
    "QueueClosedError",
    "defineJob",
    "expiredInfo",
    "lapsedInfo",
    "openQueue",
    "replacedInfo",
  ],
  "./jobs/conformance": ["engineCases"],
  "./jobs/postgres": ["postgres"],
  "./jobs/sqlite": ["sqlite"],
  "./register": [],
  "./testing": ["leakGate", "useManualClock"],
};

const { exports } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  exports: Record<string, string | { types: string; default: string }>;
};
const entries = Object.entries(exports).filter(([, target]) => typeof target === "object");

test("every entry point of package.json is listed here", () => {
  expect(entries.map(([name]) => name)).toEqual(Object.keys(face));
});

test.each(entries)("the entry %s exports these names and no others", async (name, target) => {
  const { default: built } = target as { default: string };
  const source = built.replace("./dist/", "../../src/").replace(/\.js$/, ".ts");
  const loaded = (await import(new URL(source, import.meta.url).href)) as object;
  expect(Object.keys(loaded).toSorted()).toEqual(face[name]?.toSorted());
});
