import { describe, expect, test } from "vitest";

import { openScope } from "../../src/index.ts";
import { defineJob, openQueue } from "../../src/jobs/index.ts";
import type { Queue } from "../../src/jobs/index.ts";
import { sqlite } from "../../src/jobs/sqlite/index.ts";
import { stage } from "./stage.ts";

/** What JavaScript lets through. */
type Loose = (...args: readonly unknown[]) => unknown;

const refusal = (option: string, message: RegExp): Error =>
  expect.objectContaining({
    code: "HF_BAD_OPTION",
    option,
    message: expect.stringMatching(message) as string,
  }) as Error;

const mail = defineJob("mail", { run: () => undefined });

describe("defineJob", () => {
  const define = defineJob as Loose;
  test.each<[readonly unknown[], string, RegExp]>([
    [[], "name", /^name is undefined: expected a string/],
    [[{ name: "mail", run: () => undefined }], "name", /^name is \[object Object\]: expected a string/],
    [["mail"], "options", /^options is undefined: expected an object$/],
    [["mail", () => undefined], "options", /^options is \(\) => undefined: expected an object$/],
    [["mail", {}], "run", /^run is undefined: expected a function$/],
  ])("defineJob(...%j) is refused", (args, option, message) => {
    expect(() => define(...args)).toThrow(refusal(option, message));
  });
});

describe("openQueue", () => {
  const scope = openScope("app");
  const engine = sqlite(":memory:");
  const open = openQueue as Loose;
  test.each<[string, unknown, string, RegExp]>([
    ["nothing", undefined, "options", /^options is undefined: expected an object$/],
    ["no engine", { scope, jobs: [] }, "engine", /^engine is undefined: expected an object$/],
    ["a file as engine", { scope, engine: "jobs.db", jobs: [] }, "engine", /^engine is "jobs.db": expected/],
    ["what is no engine", { scope, engine: {}, jobs: [] }, "engine", /expected an engine, such as sqlite\(/],
    [
      "no jobs",
      { scope, engine },
      "jobs",
      /^jobs is undefined: expected an array of what defineJob\(\) returned$/,
    ],
    ["what is no job", { scope, engine, jobs: [1] }, "job", /^job is 1: expected what defineJob\(\)/],
    ["no scope", { engine, jobs: [] }, "scope", /^scope is undefined: expected a scope of this copy/],
  ])("with %s is refused, and opens nothing", async (_, options, option, message) => {
    await expect(open(options)).rejects.toEqual(refusal(option, message));
    expect(scope.tree().scopes).toEqual([]);
  });
});

describe("a queue", () => {
  test.each<[keyof Queue & string, readonly unknown[], string, RegExp]>([
    ["enqueue", ["mail", 1], "job", /^job is "mail": expected what defineJob\(\)/],
    ["enqueue", [mail, 1, { onConflict: "skip" }], "onConflict", /expected join or replace or reject$/],
    ["enqueueMany", [mail], "items", /^items is undefined: expected an array of \{ input \}$/],
    ["enqueueMany", [mail, [1]], "item", /^item is 1: expected an object$/],
    ["schedule", ["nightly", "at three", mail, 1], "expression", /^expression is "at three": .*CronPattern/],
    [
      "schedule",
      ["nightly", "0 3 * * *", mail, 1, { timeZone: "Mars/Base" }],
      "expression",
      /one that croner can read in the time zone "Mars\/Base" \(/,
    ],
    ["list", [{ state: "dead" }], "state", /^state is "dead": expected queued or running or succeeded/],
    ["get", [], "id", /^id is undefined: expected a string/],
  ])("%s(...%j) is refused, and stores nothing", async (method, args, option, message) => {
    const queue = await stage().open([mail]);
    await expect((queue[method] as Loose).apply(queue, [...args])).rejects.toEqual(refusal(option, message));
    expect(await queue.list()).toEqual({ jobs: [] });
  });

  test("on() takes a function", async () => {
    const queue = await stage().open([]);
    expect(() => (queue.on as Loose)("end")).toThrow(refusal("listener", /expected a function$/));
  });
});
