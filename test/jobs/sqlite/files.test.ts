import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";

import { toEngineError } from "../../../src/jobs/sqlite/failure.ts";
import { claim, folder, newJob, open } from "./opened.ts";

const code = (name: string) => expect.objectContaining({ name: "EngineError", code: name });

test("jobs are there again after the file was closed", async () => {
  const file = join(folder(), "jobs.db");
  const first = await open(file);
  const [stored] = await first.store.enqueue([newJob({ input: '{ "a" : 1 }' })]);
  await first.store.close();
  await expect(first.store.stats()).rejects.toEqual(code("HF_ENGINE_CLOSED"));
  const second = await open(file);
  expect(stored).toEqual({ id: "1", isNew: true });
  expect((await claim(second.store))[0]).toMatchObject({
    id: "1",
    input: '{ "a" : 1 }',
    attempt: 1,
    token: 1,
  });
});

test("a folder that is not there is unavailable, and so is a folder in place of the file", async () => {
  const path = folder();
  await expect(open(join(path, "none", "jobs.db"))).rejects.toEqual(code("HF_ENGINE_UNAVAILABLE"));
  await expect(open(path)).rejects.toEqual(code("HF_ENGINE_UNAVAILABLE"));
});

test("what is no database is refused, and left as it is", async () => {
  const file = join(folder(), "jobs.db");
  const text = "no database, but long enough to be looked at".repeat(100);
  writeFileSync(file, text);
  await expect(open(file)).rejects.toEqual(code("HF_ENGINE_CORRUPT"));
  expect(readFileSync(file, "utf8")).toBe(text);
});

test("somebody else's database is refused, and left as it is", async () => {
  const file = join(folder(), "jobs.db");
  const theirs = new DatabaseSync(file);
  theirs.exec("CREATE TABLE jobs (id INTEGER)");
  theirs.close();
  const before = readFileSync(file);
  await expect(open(file)).rejects.toEqual(code("HF_ENGINE_SCHEMA"));
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("a schema of a newer holdfast is refused, and left as it is", async () => {
  const file = join(folder(), "jobs.db");
  const { store } = await open(file);
  await store.enqueue([newJob()]);
  await store.close();
  const later = new DatabaseSync(file);
  later.exec("INSERT INTO schema VALUES (99, 0)");
  later.close();
  const before = readFileSync(file);
  await expect(open(file)).rejects.toThrow(/version 99.*update holdfast/);
  await expect(open(file)).rejects.toEqual(code("HF_ENGINE_SCHEMA"));
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("a damaged file is told as such", async () => {
  const file = join(folder(), "jobs.db");
  const { store } = await open(file);
  await store.enqueue(Array.from({ length: 2000 }, () => newJob({ input: JSON.stringify("x".repeat(200)) })));
  await store.close();
  const bytes = readFileSync(file);
  // All but the head and the schema.
  bytes.fill(0xaa, 4096 * 40);
  writeFileSync(file, bytes);
  const damaged = await open(file);
  await expect(damaged.store.get("1999")).rejects.toEqual(code("HF_ENGINE_CORRUPT"));
});

test("a full file rejects what finds no room, stores nothing of it, and works again once there is room", async () => {
  const file = join(folder(), "jobs.db");
  const { store } = await open(file, { maxPages: 80 });
  const large = newJob({ input: JSON.stringify("x".repeat(50_000)), keep: { succeeded: 0, failed: 0 } });
  let stored = 0;
  await expect(
    (async () => {
      for (;;) {
        await store.enqueue([large]);
        stored++;
      }
    })(),
  ).rejects.toEqual(code("HF_ENGINE_FULL"));
  expect(stored).toBeGreaterThan(0);
  expect((await store.stats()).queued).toBe(stored);
  // In one turn: only the one that is too large is rejected.
  const [one, two, three] = await Promise.allSettled([
    store.enqueue([newJob()]),
    store.enqueue([large]),
    store.enqueue([newJob()]),
  ]);
  expect([one.status, two.status, three.status]).toEqual(["fulfilled", "rejected", "fulfilled"]);
  // Somebody makes room, by whatever means.
  const other = new DatabaseSync(file);
  other.exec("DELETE FROM jobs WHERE seq = 1");
  other.close();
  expect(await store.enqueue([large])).toHaveLength(1);
});

test("a file that cannot be written rejects writes, and says why", async () => {
  const file = join(folder(), "jobs.db");
  const { store } = await open(file);
  await store.close();
  // Whoever is root may write whatever the rights say: the error is SQLite's own.
  const readOnly = new DatabaseSync(file, { readOnly: true });
  let thrown: unknown;
  try {
    readOnly.exec("DELETE FROM jobs");
  } catch (error) {
    thrown = error;
  }
  readOnly.close();
  expect(toEngineError("sqlite jobs.db", thrown)).toEqual(code("HF_ENGINE_READONLY"));
});

test.skipIf(process.getuid?.() === 0)("a file without rights to write rejects (not as root)", async () => {
  const path = folder();
  const file = join(path, "jobs.db");
  await (await open(file)).store.close();
  chmodSync(file, 0o444);
  await expect(open(file).then(({ store }) => store.enqueue([newJob()]))).rejects.toEqual(
    code("HF_ENGINE_READONLY"),
  );
});

test("a lock of another process is waited for without stopping the event loop, and then refused", async () => {
  const file = join(folder(), "jobs.db");
  const patient = await open(file);
  const hasty = await open(file, { busyFor: 30 });
  const other = new DatabaseSync(file);
  other.exec("BEGIN IMMEDIATE");
  const stored = patient.store.enqueue([newJob()]);
  await expect(hasty.store.enqueue([newJob()])).rejects.toEqual(code("HF_ENGINE_BUSY"));
  expect((await hasty.store.stats()).queued).toBe(0);
  other.exec("ROLLBACK");
  other.close();
  expect(await stored).toEqual([{ id: "1", isNew: true }]);
  expect(await hasty.store.enqueue([newJob()])).toEqual([{ id: "2", isNew: true }]);
});

test("a lock of another process delays an opening, or refuses it", async () => {
  const file = join(folder(), "jobs.db");
  const other = new DatabaseSync(file);
  other.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
  await expect(open(file, { busyFor: 30 })).rejects.toEqual(code("HF_ENGINE_BUSY"));
  const opening = open(file);
  other.exec("ROLLBACK");
  other.close();
  expect((await (await opening).store.stats()).queued).toBe(0);
});

test("in memory nothing is kept, and nothing is shared", async () => {
  const one = await open(":memory:");
  const two = await open(":memory:");
  await one.store.enqueue([newJob()]);
  expect((await one.store.stats()).queued).toBe(1);
  expect((await two.store.stats()).queued).toBe(0);
});
