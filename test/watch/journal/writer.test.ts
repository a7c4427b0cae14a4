import {
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { replay } from "../../../src/watch/journal/replay.ts";
import { openJournal } from "../../../src/watch/journal/writer.ts";
import type { Journal, JournalTask } from "../../../src/watch/journal/writer.ts";
import { Model, simulate, tell } from "./model.ts";
import { folder, linesOf, onlyFile } from "./place.ts";

const AT = 1_764_165_787_000;
const task = (id: number, more: Partial<JournalTask> = {}): JournalTask => ({
  id,
  path: "app/work",
  createdAt: AT,
  attempt: 1,
  startedAt: AT,
  ...more,
});

/** A journal, and what a reader finds in its file now. */
function open(options: { maxBytes?: number } = {}): {
  journal: Journal;
  place: string;
  file: string;
  running: () => readonly JournalTask[];
  size: () => number;
} {
  const place = folder();
  const journal = openJournal({ name: "courier", folder: place, ...options });
  onTestFinished(() => journal.close(true));
  const file = onlyFile(place);
  const running = (): readonly JournalTask[] => replay(readFileSync(file))?.running ?? [];
  return { journal, place, file, running, size: () => statSync(file).size };
}

/** The warnings of holdfast that come until the test ends. */
function warnings(): Error[] {
  const heard: Error[] = [];
  const listener = (warning: Error): void => void heard.push(warning);
  process.on("warning", listener);
  onTestFinished(() => void process.off("warning", listener));
  return heard;
}

const untilWarned = (): Promise<void> =>
  new Promise((resolve) => {
    process.nextTick(resolve);
  });

test("a journal begins with a line that says whose it is", () => {
  const { file } = open();
  const [header] = linesOf(file);
  expect(header).toMatchObject({
    holdfast: "journal",
    v: 1,
    name: "courier",
    pid: process.pid,
    node: process.versions.node,
  });
});

test("its folder and its file are for this user alone", () => {
  const place = join(folder(), "deep", "journals");
  const journal = openJournal({ name: "a/b c", folder: place });
  expect(statSync(place).mode & 0o777).toBe(0o700);
  expect(statSync(onlyFile(place)).mode & 0o777).toBe(0o600);
  journal.close(true);
});

test("a folder of this user's that others may read is closed to them", () => {
  const place = join(folder(), "open");
  mkdirSync(place, { mode: 0o755 });
  openJournal({ name: "courier", folder: place }).close(true);
  expect(statSync(place).mode & 0o777).toBe(0o700);
});

test("nothing is written before a flush", () => {
  const { journal, running, size } = open();
  const before = size();
  journal.began(task(1));
  expect(size()).toBe(before);
  journal.flush();
  expect(running()).toEqual([task(1)]);
});

test("a flush is one line, whatever it tells", () => {
  const { journal, file } = open();
  for (let id = 1; id <= 100; id++) journal.began(task(id));
  journal.flush();
  const before = linesOf(file).length;
  for (let id = 1; id <= 50; id++) journal.ended(id, "succeeded");
  for (let id = 60; id <= 70; id++) journal.changed(id, { attempt: 2 });
  journal.began(task(101));
  journal.flush();
  expect(linesOf(file)).toHaveLength(before + 1);
});

test("a flush with nothing new says that the process lives, in a few bytes", () => {
  const { journal, size } = open();
  const before = size();
  journal.flush();
  expect(size() - before).toBeGreaterThan(0);
  expect(size() - before).toBeLessThan(24);
});

test("a task that begins and ends between two flushes costs no byte", () => {
  const { journal, file } = open();
  for (let id = 1; id <= 1000; id++) {
    journal.began(task(id, { path: `app/${id}` }));
    journal.changed(id, { attempt: 2 });
    journal.ended(id, "succeeded");
  }
  journal.flush();
  expect(Object.keys(linesOf(file).at(-1) ?? {})).toEqual(["t"]);
});

test("of a task that has ended, what changed before is not written", () => {
  const { journal, file } = open();
  journal.began(task(1));
  journal.flush();
  journal.changed(1, { attempt: 2 });
  journal.ended(1, "failed");
  journal.flush();
  expect(linesOf(file).at(-1)).toEqual({ t: expect.any(Number) as unknown, e: { failed: [1] } });
});

test("what is told of a task is what is read: attempts, starts, key, progress", () => {
  const { journal, running } = open();
  journal.began({ id: 1, path: "app/waiting", createdAt: AT, attempt: 0 });
  journal.began(task(2, { key: "k", progress: { done: 1, total: 10, note: "one", at: AT + 5 } }));
  journal.flush();
  journal.changed(1, { attempt: 1, startedAt: AT + 20 });
  journal.changed(2, { progress: { done: 2.5, at: AT + 30 } });
  journal.flush();
  expect(running()).toEqual([
    { id: 1, path: "app/waiting", createdAt: AT, startedAt: AT + 20, attempt: 1 },
    task(2, { key: "k", progress: { done: 2.5, at: AT + 30 } }),
  ]);
});

test("a path stands in the file once", () => {
  const { journal, file } = open();
  for (let id = 1; id <= 10; id++) {
    journal.began(task(id, { path: "app/the/same/path" }));
    journal.flush();
  }
  expect(readFileSync(file, "utf8").split("app/the/same/path")).toHaveLength(2);
});

test("what JSON cannot hold is left out, and what is long is cut", () => {
  const { journal, running } = open();
  journal.began(task(1, { path: "p".repeat(2000), key: "k".repeat(2000) }));
  journal.began(task(2, { progress: { done: Number.NaN, at: AT } }));
  journal.began(
    task(3, { progress: { done: 1, total: Number.POSITIVE_INFINITY, note: "n".repeat(2000), at: AT } }),
  );
  journal.flush();
  const [first, second, third] = running();
  expect(first?.path).toMatch(/^p{499}…$/);
  expect(first?.key).toMatch(/^k{199}…$/);
  expect(second).toEqual(task(2));
  expect(third?.progress).toEqual({ done: 1, note: `${"n".repeat(199)}…`, at: AT });
});

test("a task that is announced twice is one task", () => {
  const { journal, running } = open();
  journal.began(task(1));
  journal.began(task(1, { attempt: 2 }));
  journal.flush();
  expect(running()).toEqual([task(1, { attempt: 2 })]);
  journal.ended(1, "failed");
  journal.flush();
  expect(running()).toEqual([]);
});

test("the file never grows past its bound, and tells the same before and after it is written anew", () => {
  const { journal, running, size } = open({ maxBytes: 8192 });
  const model = new Model();
  const steps = simulate(7, AT);
  let anew = 0;
  let before = 0;
  for (let flush = 0; flush < 500; flush++) {
    for (let n = 0; n < 5; n++) {
      const step = steps.next().value as Parameters<typeof tell>[1];
      model.apply(step);
      tell(journal, step);
    }
    journal.flush();
    if (size() < before) anew++;
    before = size();
    expect(before).toBeLessThanOrEqual(8192);
    expect(running()).toEqual(model.live);
  }
  expect(anew).toBeGreaterThan(5);
});

test("tasks for which there is no room are counted, and take the room of those that end", () => {
  const { journal, file, size } = open({ maxBytes: 16_384 });
  const told = (): { listed: number; unlisted: number } => {
    const story = replay(readFileSync(file));
    return { listed: story?.running.length ?? 0, unlisted: story?.unlisted ?? 0 };
  };
  for (let id = 1; id <= 1000; id++) journal.began(task(id, { path: `app/${id}` }));
  journal.flush();
  const { listed, unlisted } = told();
  expect(listed).toBeGreaterThan(30);
  expect(listed + unlisted).toBe(1000);
  for (let id = 1; id <= 1000; id++)
    journal.changed(id, { progress: { done: id, note: "é".repeat(200), at: AT } });
  journal.flush();
  expect(size()).toBeLessThanOrEqual(16_384);
  expect(told()).toEqual({ listed, unlisted });
  for (let id = 1; id <= 10; id++) journal.ended(id, "succeeded");
  for (let id = 1001; id <= 1003; id++) journal.began(task(id));
  journal.flush();
  expect(told().listed).toBeGreaterThan(listed - 10);
  for (let id = 11; id <= 1003; id++) journal.ended(id, "succeeded");
  journal.flush();
  expect(told()).toEqual({ listed: 0, unlisted: 0 });
});

test("a process that ends in order leaves no journal", () => {
  const { journal, place } = open();
  journal.began(task(1));
  journal.close(true);
  expect(readdirSync(place)).toEqual([]);
});

test("one that ends with tasks that live leaves it, and says so; what comes later is not written", () => {
  const { journal, file, running } = open();
  journal.began(task(1));
  journal.close(false);
  const text = readFileSync(file, "utf8");
  expect(replay(Buffer.from(text))).toMatchObject({ end: "unclean", isTorn: false });
  journal.began(task(2));
  journal.flush();
  journal.close(true);
  expect(readFileSync(file, "utf8")).toBe(text);
  expect(running()).toEqual([task(1)]);
});

test("where it cannot be written there is one warning, and a journal that does nothing", async () => {
  const heard = warnings();
  const file = join(folder(), "file");
  writeFileSync(file, "");
  const journal = openJournal({ name: "courier", folder: join(file, "journals") });
  journal.began(task(1));
  journal.changed(1, { attempt: 2 });
  journal.ended(1, "failed");
  journal.flush();
  journal.close(false);
  await untilWarned();
  expect(heard).toMatchObject([{ name: "HoldfastWarning", code: "HF_NO_JOURNAL" }]);
});

test("a link in place of the folder is refused", async () => {
  const heard = warnings();
  const place = folder();
  mkdirSync(join(place, "other"));
  symlinkSync(join(place, "other"), join(place, "link"));
  openJournal({ name: "courier", folder: join(place, "link") });
  await untilWarned();
  expect(heard).toHaveLength(1);
  expect(heard[0]?.message).toContain("is no folder");
  expect(readdirSync(join(place, "other"))).toEqual([]);
});

test.skipIf(process.geteuid?.() !== 0)("a folder that belongs to another user is refused", async () => {
  const heard = warnings();
  const place = join(folder(), "theirs");
  mkdirSync(place);
  chownSync(place, 12_345, 12_345);
  openJournal({ name: "courier", folder: place });
  await untilWarned();
  expect(heard).toHaveLength(1);
  expect(heard[0]?.message).toContain("belongs to user 12345");
  expect(readdirSync(place)).toEqual([]);
});

test("the folder is made again where somebody deleted it", () => {
  const { journal, place, running } = open({ maxBytes: 4096 });
  journal.began(task(1));
  rmSync(place, { recursive: true });
  // Until the file has to be written anew, nothing tells that it is gone.
  for (let flush = 0; flush < 400; flush++) journal.flush();
  expect(running()).toEqual([task(1)]);
});
