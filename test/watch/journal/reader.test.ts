import {
  chownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { archive, prune, reportDead } from "../../../src/watch/journal/archive.ts";
import { fateOf, ownIdentity, SILENCE } from "../../../src/watch/journal/identity.ts";
import { readJournals } from "../../../src/watch/journal/reader.ts";
import { openJournal } from "../../../src/watch/journal/writer.ts";
import { folder, journalOf, NOBODY } from "./place.ts";

const AT = 1_764_165_787_000;
const flush = { t: 1000, p: ["app/work"], b: [[17, 0, 400, 1, 300]] } as const;
const running = [{ id: 17, path: "app/work", createdAt: AT + 600, startedAt: AT + 700, attempt: 1 }];

/** Puts a journal into a folder. Returns its path. */
function put(place: string, text: string, name = `courier.${NOBODY}.ab12.journal`): string {
  const file = join(place, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** As if it had last been written so many ms ago. */
function age(file: string, ms: number): void {
  const at = new Date(Date.now() - ms);
  utimesSync(file, at, at);
}

test("the journal of a process that is gone tells what ran in it", () => {
  const place = folder();
  const file = put(place, journalOf({ host: ownIdentity().host }, flush));
  expect(readJournals({ folder: place })).toEqual([
    {
      name: "courier",
      pid: NOBODY,
      startedAt: AT,
      lastSweepAt: AT + 1000,
      node: "24.0.0",
      host: ownIdentity().host,
      running,
      unlisted: 0,
      failures: [],
      hasEnded: false,
      isTorn: false,
      isArchived: false,
      file,
    },
  ]);
});

test("a torn last line is left out, and said", () => {
  const place = folder();
  put(place, `${journalOf({}, flush)}{"t":2000,"e":{"succ`);
  expect(readJournals({ folder: place })).toMatchObject([{ running, isTorn: true }]);
});

test("after a line that cannot be read nothing more is believed: what stood in it may be what ended", () => {
  const place = folder();
  const later = '{"t":3000,"b":[[18,0,0,1]]}\n';
  for (const broken of ['{"t":2000,"e":{"succ', "null", '{"t":2000,"b":[[18,7,0,1]]}', "\u0000\u0000"]) {
    put(place, `${journalOf({}, flush)}${broken}\n${later}`);
    expect(readJournals({ folder: place })).toMatchObject([
      { running: [{ id: 17 }], lastSweepAt: AT + 1000, isTorn: true },
    ]);
  }
});

test("a process that lives is not told, nor is one that ended in order", () => {
  const place = folder();
  const own = openJournal({ name: "courier", folder: place });
  put(place, journalOf({}, { ...flush, end: "clean" }));
  expect(readJournals({ folder: place })).toEqual([]);
  own.close(true);
});

test("one that ended with tasks that lived is told", () => {
  const place = folder();
  put(place, journalOf({}, { ...flush, end: "unclean" }));
  expect(readJournals({ folder: place })).toMatchObject([{ running, hasEnded: true }]);
});

test("the newest comes first; a name and a pid choose", () => {
  const place = folder();
  put(place, journalOf({ name: "a" }, { t: 1 }), `a.${NOBODY}.1.journal`);
  put(place, journalOf({ name: "b" }, { t: 3 }), `b.${NOBODY}.2.journal`);
  put(place, journalOf({ name: "b", pid: NOBODY + 1 }, { t: 2 }), `b.${NOBODY + 1}.3.journal`);
  // Two names that are one as the name of a file.
  put(place, journalOf({ name: "a/b" }, { t: 1 }), `a_b.${NOBODY}.4.journal`);
  put(place, journalOf({ name: "a b" }, { t: 1 }), `a_b.${NOBODY}.5.journal`);
  const namesOf = (options: object): string[] =>
    readJournals({ folder: place, ...options }).map(({ name, pid }) => `${name} ${pid - NOBODY}`);
  expect(namesOf({}).slice(0, 2)).toEqual(["b 0", "b 1"]);
  expect(namesOf({}).toSorted()).toEqual(["a 0", "a b 0", "a/b 0", "b 0", "b 1"]);
  expect(namesOf({ name: "b" })).toEqual(["b 0", "b 1"]);
  expect(namesOf({ name: "a/b" })).toEqual(["a/b 0"]);
  expect(namesOf({ pid: NOBODY + 1 })).toEqual(["b 1"]);
});

test.each([
  ["an empty file", ""],
  ["half a header", '{"holdfast":"journal","v":1,"na'],
  ["a header of a later format", journalOf({}).replace('"v":1', '"v":2')],
  ["something else", "\u0000\u0001\n\n"],
])("%s is no journal, and no reason to fail", (_, text) => {
  const place = folder();
  put(place, text);
  expect(readJournals({ folder: place })).toEqual([]);
  expect(reportDead("courier", { folder: place })).toEqual([]);
});

test("a folder that is not there, and one that is not ours, have no journals", () => {
  const place = folder();
  expect(readJournals({ folder: join(place, "none") })).toEqual([]);
  put(place, journalOf({}, flush));
  symlinkSync(place, join(place, "link"));
  expect(readJournals({ folder: join(place, "link") })).toEqual([]);
});

test.skipIf(process.geteuid?.() !== 0)("nothing is read from a folder of another user", () => {
  const place = folder();
  put(place, journalOf({}, flush));
  chownSync(place, 12_345, 12_345);
  expect(readJournals({ folder: place })).toEqual([]);
  expect(reportDead("courier", { folder: place })).toEqual([]);
});

test("a dead process is reported once, and archived; it stays to be read", () => {
  const place = folder();
  put(place, journalOf({}, flush));
  const [dead, ...rest] = reportDead("courier", { folder: place });
  expect(rest).toEqual([]);
  expect(dead).toMatchObject({ running, isArchived: true });
  expect(dead?.file).toBe(join(place, "archive", `courier.${NOBODY}.ab12.journal`));
  expect(reportDead("courier", { folder: place })).toEqual([]);
  expect(readJournals({ folder: place })).toEqual([]);
  expect(readJournals({ folder: place, archived: true })).toEqual([dead]);
  expect(statSync(join(place, "archive")).mode & 0o777).toBe(0o700);
});

test("of two that archive the same, one has done it", () => {
  const place = folder();
  put(place, journalOf({}, flush));
  const [dead] = readJournals({ folder: place });
  if (dead === undefined) throw new Error("not found");
  expect([archive(dead), archive(dead)].map((done) => done !== undefined)).toEqual([true, false]);
});

test("another program's dead are left to it", () => {
  const place = folder();
  put(place, journalOf({ name: "other" }, flush), `other.${NOBODY}.1.journal`);
  expect(reportDead("courier", { folder: place })).toEqual([]);
  expect(readJournals({ folder: place })).toHaveLength(1);
});

test("the newest 20 of each program are kept, and no more than 32 MB of all", () => {
  const place = folder();
  const kept = join(place, "archive");
  mkdirSync(kept, { mode: 0o700 });
  for (let n = 0; n < 30; n++) {
    for (const name of ["a", "b"])
      age(put(kept, journalOf({ name }, flush), `${name}.${n}.1.journal`), 60_000 * n);
  }
  prune(place);
  expect(readdirSync(kept)).toHaveLength(40);
  expect(readdirSync(kept).some((name) => name.startsWith("a.20."))).toBe(false);
  for (let n = 0; n < 3; n++) age(put(kept, "x".repeat(12 << 20), `big.${n}.1.journal`), -1000 * n);
  prune(place);
  // Two of the large ones, and what was newer than the third.
  expect(readdirSync(kept).toSorted()).toEqual(["big.1.1.journal", "big.2.1.journal"]);
});

test("of programs that never start again, the newest 100 are kept", () => {
  const place = folder();
  for (let n = 0; n < 120; n++)
    age(put(place, journalOf({ name: `p${n}` }, flush), `p${n}.${NOBODY}.1.journal`), 3_600_000 * (n + 2));
  prune(place);
  expect(readdirSync(place)).toHaveLength(100);
  expect(readdirSync(place)).toContain(`p99.${NOBODY}.1.journal`);
});

test("what a process left half written is swept away, and never read", () => {
  const place = folder();
  const file = put(place, journalOf({}, flush), `courier.${NOBODY}.1.journal.new`);
  expect(readJournals({ folder: place })).toEqual([]);
  prune(place);
  expect(readdirSync(place)).toHaveLength(1);
  age(file, 120_000);
  prune(place);
  expect(readdirSync(place)).toEqual([]);
});

test("a journal is read beside a half-written new one of the same process", () => {
  const place = folder();
  const text = journalOf({}, flush);
  put(place, text);
  for (const length of [0, 10, text.length - 1]) {
    put(place, text.slice(0, length), `courier.${NOBODY}.ab12.journal.new`);
    expect(readJournals({ folder: place })).toMatchObject([{ running, isTorn: false }]);
  }
});

test("a file that is longer than any journal is not read to its end", () => {
  const place = folder();
  const file = put(place, journalOf({}, flush));
  truncateSync(file, 2 ** 33);
  expect(readJournals({ folder: place })).toMatchObject([{ running, isTorn: true }]);
});

const own = ownIdentity();

test.runIf(process.platform === "linux")("a pid that another process has now is gone", () => {
  expect(own.ticks).toBeGreaterThan(0);
  expect(fateOf(own, Date.now())).toBe("lives");
  expect(fateOf({ ...own, ticks: (own.ticks ?? 0) + 1 }, Date.now())).toBe("gone");
});

test.runIf(process.platform === "linux")("a process from before the machine's start is gone", () => {
  expect(fateOf({ ...own, boot: "another" }, Date.now())).toBe("gone");
});

test("a process of another container or machine is gone when it has been silent for long", () => {
  for (const elsewhere of [{ space: "pid:[1]" }, { host: "another" }]) {
    expect(fateOf({ ...own, ...elsewhere }, Date.now())).toBe("unsure");
    expect(fateOf({ ...own, ...elsewhere }, Date.now() - SILENCE - 1)).toBe("gone");
  }
});

test("where there is no start to compare, a process is there when its pid is", () => {
  const { ticks: _, ...rest } = own;
  expect(fateOf(rest, Date.now())).toBe("lives");
  expect(fateOf({ ...rest, pid: NOBODY }, Date.now())).toBe("gone");
});

test("a process of another container is reported later, when it is known to be gone", () => {
  const place = folder();
  const file = put(place, journalOf({ host: "pod-1", pid: process.pid }, flush));
  expect(reportDead("courier", { folder: place })).toEqual([]);
  age(file, SILENCE + 1000);
  expect(reportDead("courier", { folder: place })).toHaveLength(1);
});
