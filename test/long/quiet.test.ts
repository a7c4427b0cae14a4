import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { CheckAnswer } from "../../src/agent/answers.ts";
import { built } from "../cli/run.ts";
import { run } from "../scenarios/courier/process.ts";
import { Child } from "../scenarios/process/child.ts";

const MINUTE = 60_000;

/** What the watch of a process holds to be wrong, when it has looked once more. */
function check(pid: number | undefined): Promise<CheckAnswer> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [built, "check", String(pid), "--gc", "--json"], (error, stdout) => {
      // 19: something is wrong.
      if (error === null || error.code === 19) resolve(JSON.parse(stdout) as CheckAnswer);
      else reject(error);
    });
  });
}

const named = ({ findings }: CheckAnswer): string[] =>
  findings.map(({ finding, path }) => `${finding} ${path}`).toSorted();

test.concurrent("the watch finds nothing in courier, in ten minutes of its ordinary load", async () => {
  const courier = run("start.ts", [], { PORT: "0" });
  await courier.untilLine(/courier is up/);
  await sleep(10 * MINUTE);
  const answer = await check(courier.process.pid);
  expect(named(answer)).toEqual([]);
});

test.concurrent(
  "with the same defaults it finds one of each, and nothing else, in eight minutes",
  async () => {
    const program = fileURLToPath(new URL("seeded.ts", import.meta.url));
    const child = new Child([process.execPath, "--experimental-strip-types", "--no-warnings", program]);
    await child.untilSaid(/^ready/m);
    await sleep(8 * MINUTE);
    const answer = await check(child.process.pid);
    expect(named(answer)).toEqual([
      "adrift seeded/background/mail",
      "blocked seeded/hog",
      "growing seeded/leak",
      "lost seeded/lost",
      "overdue seeded/fetch",
      "unresponsive seeded/stubborn",
    ]);
    const hog = answer.findings.find(({ finding }) => finding === "blocked");
    expect(hog?.stack).toContain("seeded.ts:");
  },
);
