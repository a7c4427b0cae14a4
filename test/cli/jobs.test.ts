import { mkdtempSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, afterAll, expect, test } from "vitest";
import { openScope } from "../../src/index.ts";
import { defineJob, openQueue, type JobPage, type JobRecord, type JobStats } from "../../src/jobs/index.ts";
import { sqlite } from "../../src/jobs/sqlite/index.ts";
import { holdfast } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-cli-jobs-"));
const file = join(folder, "shop.db");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mail = defineJob("mail", {
  retry: { attempts: 2, min: 1, max: 1 },
  run: async (to: string, job) => {
    await job.step("render", () => `Dear ${to}`);
    job.log(`sending to ${to}`);
    if (to.startsWith("bad")) throw new Error("550 no such user\u001b[31m");
    return "250 ok";
  },
});

let ids: Record<"good" | "bad" | "worse" | "later", string>;

beforeAll(async () => {
  const app = openScope("shop", { onError: () => undefined });
  const queue = await openQueue({ scope: app, engine: sqlite(file), jobs: [mail] });
  const enqueue = async (to: string, options = {}): Promise<string> =>
    (await queue.enqueue(mail, to, options)).id;
  ids = {
    good: await enqueue("ada", { key: "welcome/ada" }),
    bad: await enqueue("bad@example.org"),
    worse: await enqueue("bad2@example.org"),
    later: await enqueue("bob", { delay: "1h" }),
  };
  await queue.result(ids.good);
  for (const id of [ids.bad, ids.worse]) await queue.result(id).catch(() => undefined);
  await app.close();
});

test("ls lists jobs, the newest first, page by page, and chooses", async () => {
  const { code, stdout } = await holdfast(["jobs", "ls", file]);
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^ID +STATE +AGE +JOB$/);
  expect(lines[1]).toMatch(/^ +4  in 5\d m \d+ s +\S+ m?s  mail$/);
  expect(lines[4]).toMatch(/^ +1  succeeded .* mail {2}key welcome\/ada$/);
  const page = await holdfast(["jobs", "ls", file, "--limit", "3", "--json"]);
  const { jobs, next } = JSON.parse(page.stdout) as JobPage;
  expect(jobs.map(({ id }) => id)).toEqual([ids.later, ids.worse, ids.bad]);
  const rest = await holdfast(["jobs", "ls", file, "--after", next ?? "", "--json"]);
  expect((JSON.parse(rest.stdout) as JobPage).jobs.map(({ id }) => id)).toEqual([ids.good]);
  expect((await holdfast(["jobs", "ls", file, "--state", "running"])).stdout).toBe(
    "there are no such jobs\n",
  );
});

test("show tells all that is known of one, made harmless", async () => {
  const { code, stdout } = await holdfast(["jobs", "show", file, ids.bad]);
  expect(code).toBe(0);
  expect(stdout).not.toContain("\u001b");
  expect(stdout).toMatch(/^mail 2 failed {2}attempt 2$/m);
  expect(stdout).toContain(`  input     "bad@example.org"`);
  expect(stdout).toMatch(/^ {4}#2 \d\d:\d\d:\d\d\.\d{3} {2}failed after \d+ ms: 550 no such user/m);
  expect(stdout).toMatch(/^ {4}\S+ {2}render {2}"Dear bad@example\.org"$/m);
  expect(stdout).toMatch(/^ {4}\S+ {2}#2 {2}sending to bad@example\.org$/m);
});

test("stats counts by name", async () => {
  const { stdout } = await holdfast(["jobs", "stats", file]);
  expect(stdout).toMatch(/^JOB +QUEUED +RUNNING +SUCCEEDED +FAILED +CANCELLED +OLDEST$/m);
  expect(stdout).toMatch(/^mail +1 +0 +1 +2 +0 +-$/m);
  const { stdout: json } = await holdfast(["jobs", "stats", file, "--json"]);
  expect((JSON.parse(json) as JobStats).names["mail"]).toMatchObject({ queued: 1, failed: 2 });
});

test("dead lists what has failed, retry queues it again, cancel ends what waits", async () => {
  const { stdout } = await holdfast(["jobs", "dead", file]);
  expect(stdout.match(/550 no such user/g)).toHaveLength(2);
  const one = await holdfast(["jobs", "retry", file, ids.bad]);
  expect(one).toMatchObject({ code: 0, stdout: `queued again: ${ids.bad}\n` });
  const all = await holdfast(["jobs", "retry", file, "--dead", "--json"]);
  expect(JSON.parse(all.stdout)).toEqual({ retried: [ids.worse] });
  expect(await holdfast(["jobs", "retry", file, "--dead"])).toMatchObject({
    stdout: "there is nothing to retry\n",
  });
  const cancelled = await holdfast(["jobs", "cancel", file, ids.later, "--reason", "not needed", "--json"]);
  expect(JSON.parse(cancelled.stdout) as JobRecord).toMatchObject({
    state: "cancelled",
    error: { message: "not needed" },
  });
});

test.each<[string, string[], number, RegExp]>([
  ["an unknown id", ["show", file, "99"], 21, /there is no job 99 \(HF_JOB_UNKNOWN\)/],
  ["one that has not failed", ["retry", file, "1"], 22, /mail 1 is succeeded: only what failed/],
  ["no file", ["ls", join(folder, "nope.db")], 23, /there is no file .*nope\.db/],
  ["neither ids nor --dead", ["retry", file], 2, /say which/],
  ["no such action", ["lss", file], 2, /unknown command 'lss'[^]*Did you mean ls\?/],
  ["a state that is none", ["ls", file, "--state", "lost"], 2, /Allowed choices are queued/],
])("mistakes are told: %s", async (_, args, exit, words) => {
  const { code, stderr, stdout } = await holdfast(["jobs", ...args]);
  expect(stderr).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
});

test("a file that is another one's is refused, and left as it was; one that is not there is not made", async () => {
  const other = join(folder, "notes.txt");
  writeFileSync(other, "not a database, but long enough to have a page of its own\n".repeat(200));
  const { code, stderr } = await holdfast(["jobs", "ls", other]);
  expect(code).toBeGreaterThanOrEqual(24);
  expect(stderr).toContain("HF_ENGINE_");
  expect(existsSync(join(folder, "nope.db"))).toBe(false);
});
