import fc from "fast-check";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";

import type { EngineClock, Lease, Settlement } from "../../../src/jobs/engine.ts";
import { folder, newJob, open } from "./opened.ts";

/** Time that stands until it is moved; nothing here waits for it. */
class Clock implements EngineClock {
  time = 1_000_000;
  now(): number {
    return this.time;
  }
  wall(): number {
    return 1_700_000_000_000 + this.time;
  }
  later(): () => void {
    return () => undefined;
  }
}

type Operation =
  | {
      do: "enqueue";
      key: number;
      tenant: number;
      most: number;
      priority: number;
      delay: number;
      expires: number;
    }
  | { do: "claim"; limit: number }
  | { do: "settle"; which: number; end: Settlement["end"]; delay: number }
  | { do: "cancel" | "retry" | "remove"; which: number }
  | { do: "pass"; ms: number }
  | { do: "sweep" };

const ends = ["succeeded", "failed", "cancelled", "again", "slept", "released"] as const;
const small = fc.nat(3);
const ms = fc.constantFrom(0, 0, 10, 500, 1500);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      key: fc.nat(5),
      tenant: small,
      most: fc.integer({ min: 1, max: 3 }),
      priority: small,
      delay: ms,
      expires: ms,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("claim" as const), limit: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      which: fc.nat(9),
      end: fc.constantFrom(...ends),
      delay: ms,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel" as const, "retry" as const, "remove" as const),
      which: fc.nat(40),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: ms }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const) }) },
);

/** What must hold in the file whenever nothing is being done; each asks for rows that break it. */
const laws: Record<string, string> = {
  "the counts are those of the jobs": `
    SELECT name, sum(queued), sum(running), sum(ended) FROM (
      SELECT name, phase < 6 AS queued, phase = 6 AS running, phase > 6 AS ended FROM jobs
      UNION ALL SELECT name, -queued, -running, -succeeded - failed - cancelled FROM counts)
    GROUP BY name HAVING sum(queued) <> 0 OR sum(running) <> 0 OR sum(ended) <> 0`,
  "the ends are counted apart": `
    SELECT * FROM counts AS c WHERE succeeded <> (SELECT count(*) FROM jobs WHERE name = c.name AND phase = 7)
      OR failed <> (SELECT count(*) FROM jobs WHERE name = c.name AND phase = 8)`,
  "places are taken by what is ready or runs": `
    SELECT p.name, p.ckey FROM places AS p WHERE taken <> (
      SELECT count(*) FROM jobs AS j WHERE j.name = p.name AND j.ckey = p.ckey AND phase IN (3, 6))`,
  "a place is kept for as long as its key has unfinished jobs": `
    SELECT p.name, p.ckey FROM places AS p WHERE open <> (
      SELECT count(*) FROM jobs AS j WHERE j.name = p.name AND j.ckey = p.ckey AND phase < 7)`,
  "every unfinished job with a key has a place row": `
    SELECT seq FROM jobs AS j WHERE ckey IS NOT NULL AND phase < 7
      AND NOT EXISTS (SELECT 1 FROM places AS p WHERE p.name = j.name AND p.ckey = j.ckey)`,
  "nothing is held while a place is free": `
    SELECT j.seq FROM jobs AS j JOIN places AS p ON p.name = j.name AND p.ckey = j.ckey
    WHERE phase = 4 AND p.taken < p.most`,
  "nothing is held that ranks before what is ready": `
    SELECT h.seq, r.seq FROM jobs AS h JOIN jobs AS r ON r.name = h.name AND r.ckey = h.ckey
    WHERE h.phase = 4 AND r.phase = 3 AND (h.priority > r.priority OR (h.priority = r.priority AND h.seq < r.seq))`,
  "no more are ready than there are places": `
    SELECT * FROM places AS p WHERE taken > most
      AND EXISTS (SELECT 1 FROM jobs AS j WHERE j.name = p.name AND j.ckey = p.ckey AND phase = 3)`,
  "what waits behind another waits for one that runs": `
    SELECT seq FROM jobs AS j WHERE phase = 5 AND NOT EXISTS (SELECT 1 FROM jobs AS o WHERE o.seq = j.behind AND o.phase = 6)`,
  "what was removed left nothing": "SELECT seq FROM attempts WHERE seq NOT IN (SELECT seq FROM jobs)",
};

test("whatever is asked, the file keeps its laws", async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 20, maxLength: 60 }), async (operations) => {
      const file = join(folder(), "jobs.db");
      const clock = new Clock();
      const { store } = await open(file, { durability: "normal" }, { clock, lease: 1000 });
      const reader = new DatabaseSync(file);
      let held: Lease[] = [];
      for (const step of operations) {
        seen.set(step.do, (seen.get(step.do) ?? 0) + 1);
        switch (step.do) {
          case "enqueue":
            await store.enqueue([
              newJob({
                priority: step.priority,
                ...(step.key === 0 ? {} : { key: String(step.key), onConflict: "replace" as const }),
                ...(step.tenant === 0
                  ? {}
                  : { concurrencyKey: String(step.tenant), concurrencyPerKey: step.most }),
                ...(step.delay === 0 ? {} : { runAt: clock.wall() + step.delay }),
                ...(step.expires === 0 ? {} : { expiresAt: clock.wall() + step.expires }),
                keep: { succeeded: 1000, failed: 1000 },
              }),
            ]);
            break;
          case "claim": {
            const { jobs } = await store.claim({
              limit: step.limit,
              names: [{ name: "deliver", limit: step.limit }],
            });
            held.push(...jobs);
            break;
          }
          case "settle": {
            const lease = held[step.which % Math.max(1, held.length)];
            if (lease === undefined) break;
            const { id, token } = lease;
            await store.settle([{ id, token, end: step.end, runAt: clock.wall() + step.delay }]);
            held = held.filter((one) => one !== lease);
            break;
          }
          case "cancel":
            await store.cancel(String(step.which + 1), { name: "Error", message: "enough" });
            break;
          case "retry":
            await store.retry(String(step.which + 1), false);
            break;
          case "remove":
            await store.remove(String(step.which + 1));
            break;
          case "pass":
            clock.time += step.ms;
            break;
          case "sweep":
            await store.sweep(100);
        }
        for (const [law, sql] of Object.entries(laws))
          expect(reader.prepare(sql).all(), `${law}, after ${JSON.stringify(step)}`).toEqual([]);
      }
      reader.close();
      await store.close();
    }),
    { numRuns: Number(process.env["HOLDFAST_PROGRAMS"] ?? 150) },
  );
  expect([...seen.keys()].toSorted()).toEqual([
    "cancel",
    "claim",
    "enqueue",
    "pass",
    "remove",
    "retry",
    "settle",
    "sweep",
  ]);
});
