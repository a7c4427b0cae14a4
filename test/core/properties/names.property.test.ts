import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openScope } from "../../../src/index.ts";
import { ProgramClock, turn } from "./clock.ts";

/* Invariant 7: counts by name for at most 1,000 names, the rest under `other`, with one warning; a ring of records. */

const NAMES = 1_000;

let clock: ProgramClock;
beforeAll(() => {
  clock = new ProgramClock();
});
afterAll(() => clock.close());

const runs = fc.record({
  names: fc.constantFrom(10, 999, 1_000, 1_001, 1_500),
  tasks: fc.integer({ min: 1, max: 3_000 }),
  records: fc.constantFrom(0, 1, 7, 1_000),
  failures: fc.integer({ min: 2, max: 9 }),
});

test("invariant 7: every task is counted under its name, and the newest are kept", async () => {
  await fc.assert(
    fc.asyncProperty(runs, async ({ names, tasks, records, failures }) => {
      const warn = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const scope = openScope("names", { records, onError: () => undefined });
      const expected = new Map<string, { succeeded: number; failed: number }>();
      for (let n = 0; n < tasks; n++) {
        const name = `name ${n % names}`;
        const isFailure = n % failures === 0;
        const known =
          expected.get(name) !== undefined || expected.size - Number(expected.has("other")) < NAMES;
        const counts = expected.get(known ? name : "other") ?? { succeeded: 0, failed: 0 };
        expected.set(known ? name : "other", counts);
        counts[isFailure ? "failed" : "succeeded"]++;
        scope.spawn(name, async () => {
          if (isFailure) throw new Error("counted");
        });
      }
      await turn();
      const stats = scope.stats();
      expect(Object.keys(stats.names).toSorted()).toEqual([...expected.keys()].toSorted());
      for (const [name, counts] of expected) expect(stats.names[name]).toMatchObject({ live: 0, ...counts });
      expect([...scope.tasks()].length).toBe(Math.min(records, tasks));
      const warnings = warn.mock.calls.filter(([text]) => String(text).includes("task names"));
      expect(warnings.length).toBe(Math.min(names, tasks) > NAMES ? 1 : 0);
      await scope.close();
      expect(clock.pending()).toBe(0);
      warn.mockRestore();
    }),
    { numRuns: 40 },
  );
});
