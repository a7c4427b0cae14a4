import { expect, test } from "vitest";
import { isHangupIgnored } from "../../src/process/hangup.ts";
import { main } from "../../src/process/main.ts";
import type { MainOptions } from "../../src/process/main.ts";
import { toStopSignals } from "../../src/process/stop-signals.ts";

test.each<[MainOptions, string]>([
  [{ drain: -1 }, "drain"],
  [{ grace: "5 seconds" as "5s" }, "grace"],
  [{ notReadyFor: Number.NaN }, "notReadyFor"],
  [{ signals: ["SIGKILL"] }, "signals"],
  [{ signals: ["SIGNONE"] }, "signals"],
  [{ agent: "no" as unknown as boolean }, "agent"],
  [{ concurrency: 1 } as MainOptions, "concurrency"],
])("main() with %j is refused before anything runs", async (options, option) => {
  let hasRun = false;
  const listeners = process.listenerCount("SIGTERM");
  const ended = main("bad", () => (hasRun = true), options);
  await expect(ended).rejects.toThrow(RangeError);
  await expect(ended).rejects.toMatchObject({ code: "HF_BAD_OPTION", option });
  expect(hasRun).toBe(false);
  expect(process.listenerCount("SIGTERM")).toBe(listeners);
});

test("signals have the platform's numbers, and count once", () => {
  expect(toStopSignals(["SIGTERM", "SIGINT", "SIGTERM"])).toEqual([
    { name: "SIGTERM", number: 15 },
    { name: "SIGINT", number: 2 },
  ]);
});

test("a shell's trace of nohup is recognised", () => {
  expect(isHangupIgnored({ _: "/usr/bin/nohup" })).toBe(true);
});
