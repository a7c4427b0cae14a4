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

test("in ten minutes the watch finds nothing in courier under its ordinary load, and in another program one of each", async () => {
  const courier = run("start.ts", [], { PORT: "0" });
  const program = fileURLToPath(new URL("seeded.ts", import.meta.url));
  const seeded = new Child([process.execPath, "--experimental-strip-types", "--no-warnings", program]);
  await Promise.all([courier.untilLine(/courier is up/), seeded.untilSaid(/^ready/m)]);
  await sleep(10 * MINUTE);
  expect(named(await check(courier.process.pid))).toEqual([]);
  const answer = await check(seeded.process.pid);
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
});
