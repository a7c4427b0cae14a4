import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { readJournals } from "../../../src/watch/journal/reader.ts";
import type { DeadProcess } from "../../../src/watch/journal/reader.ts";
import { commandOf, drive, lastDone, truthAt } from "./programs.ts";
import { Child } from "../process/child.ts";

/*
 * Real processes that die in the middle of writing their journals, and what is read afterwards. Each process says which
 * flushes are done; later ones may be, too, as it may be killed before it says so.
 */

const KILLS = 200;
const AT_ONCE = 4;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "holdfast-killed-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** Holds what is read of a process against what is true of it. Returns the flush that was read. */
function check(dead: readonly DeadProcess[], child: Child, seed: number, say = 1, perFlush = 5): number {
  expect(dead).toHaveLength(1);
  const done = lastDone(child);
  const [{ pid, running }] = dead as [DeadProcess];
  expect(pid).toBe(child.process.pid);
  const possible = Array.from({ length: say + 1 }, (_, n) => done + n);
  const flush = possible.find((one) => isDeepStrictEqual(running, truthAt(seed, one, perFlush)));
  if (flush === undefined) expect(running).toEqual(truthAt(seed, done, perFlush));
  return flush ?? -1;
}

test(
  `of ${KILLS} processes that are killed while they write, every journal tells the last flush, and nothing that had ended before`,
  { timeout: 600_000 },
  async () => {
    const seen = { killed: 0, torn: 0, unfinished: 0, ahead: 0, flushes: 0, tasks: 0 };
    const kill = async (seed: number): Promise<void> => {
      const place = folder();
      // Small ones are written anew at every second flush, so that many die in that; large ones never.
      const isSmall = seed % 2 === 0;
      // One that says less spends more of its time in the journal.
      const say = seed % 3 === 0 ? 1 : 20;
      const perFlush = isSmall ? 60 : 5;
      const child = drive(place, seed, [
        ...["--max-bytes", isSmall ? "4600" : String(1 << 20)],
        ...["--say", String(say), "--steps", String(perFlush)],
      ]);
      // The moment is random in itself: the program goes on while its words are on their way.
      await child.untilSaid(new RegExp(`^${say * (1 + (seed % 23))}$`, "m"));
      const { signal } = await child.endBy("SIGKILL");
      expect(signal).toBe("SIGKILL");
      const dead = readJournals({ folder: place });
      const flush = check(dead, child, seed, say, perFlush);
      seen.killed++;
      seen.flushes += flush;
      seen.tasks += dead[0]?.running.length ?? 0;
      if (dead[0]?.isTorn === true) seen.torn++;
      if (flush > lastDone(child)) seen.ahead++;
      if (readdirSync(place).some((name) => name.endsWith(".new"))) seen.unfinished++;
    };
    let seed = 0;
    const worker = async (): Promise<void> => {
      while (seed < KILLS) await kill(++seed);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    console.log(
      `${seen.killed} killed after ${seen.flushes} flushes: ${seen.tasks} tasks reported; ` +
        `${seen.torn} torn, ${seen.unfinished} in the middle of a new file, ${seen.ahead} before they said so`,
    );
    expect(seen.killed).toBe(KILLS);
    expect(seen.tasks).toBeGreaterThan(KILLS);
  },
);

describe("a process that ends by itself", () => {
  const AT = 37;
  const args = (then: string): string[] => ["--at", String(AT), "--then", then];

  test("process.exit() in the middle", async () => {
    const place = folder();
    const child = drive(place, 11, args("exit"));
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(check(readJournals({ folder: place }), child, 11)).toBe(AT);
  });

  test("out of memory", async () => {
    const place = folder();
    const child = drive(place, 12, args("memory"), ["--max-old-space-size=20"]);
    const { code, signal } = await child.ended;
    expect(code ?? signal).not.toBe(0);
    expect(child.stderr).toContain("JavaScript heap out of memory");
    expect(check(readJournals({ folder: place }), child, 12)).toBe(AT);
  });

  test("with tasks that would not end", async () => {
    const place = folder();
    const child = drive(place, 13, args("unclean"));
    await child.ended;
    const dead = readJournals({ folder: place });
    expect(dead).toMatchObject([{ hasEnded: true, isTorn: false }]);
  });

  test("in order: nothing is left of it", async () => {
    const place = folder();
    await drive(place, 14, args("close")).ended;
    expect(readdirSync(place)).toEqual([]);
  });
});

test("a process that lives is not dead, though it was stopped for as long as one likes", async () => {
  const place = folder();
  const child = drive(place, 21);
  await child.untilSaid(/^5$/m);
  child.kill("SIGSTOP");
  expect(readJournals({ folder: place })).toEqual([]);
  await child.endBy("SIGKILL");
  expect(readJournals({ folder: place })).toHaveLength(1);
});

test("of processes that start at once, one tells of each that is dead", async () => {
  const place = folder();
  const children = Array.from({ length: 6 }, (_, n) => drive(place, 31 + n));
  for (const child of children) await child.untilSaid(/^5$/m);
  await Promise.all(children.map((child) => child.endBy("SIGKILL")));
  const reporters = Array.from({ length: 4 }, () => new Child(commandOf("reporter", [place])));
  for (const reporter of reporters) await reporter.untilSaid(/ready/);
  for (const reporter of reporters) reporter.process.stdin?.write("look\n");
  const told = await Promise.all(
    reporters.map(async (reporter) => {
      const [, pids = "[]"] = await reporter.untilSaid(/told (.*)\n/);
      return JSON.parse(pids) as number[];
    }),
  );
  expect(told.flat()).toHaveLength(6);
  expect(new Set(told.flat())).toEqual(new Set(children.map((child) => child.process.pid)));
  expect(readJournals({ folder: place })).toEqual([]);
  expect(readJournals({ folder: place, archived: true })).toHaveLength(6);
});
