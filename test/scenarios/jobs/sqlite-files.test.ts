import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "../process/child.ts";
import type { Word } from "./fixtures/say.ts";

const PROGRAM = fileURLToPath(new URL("./fixtures/enqueue-all.ts", import.meta.url));
// Node 22 has to be told to strip types.
const command = (...args: string[]): [string, ...string[]] => [
  process.execPath,
  "--experimental-strip-types",
  "--disable-warning=ExperimentalWarning",
  PROGRAM,
  ...args,
];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "holdfast-files-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function words(child: Child): Word[] {
  return child.stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Word);
}

const enqueued = (child: Child): string[] =>
  words(child).flatMap(({ what, id }) => (what === "enqueued" ? [id] : []));

/** The ids of all jobs that are in a file. */
function stored(file: string): string[] {
  const db = new DatabaseSync(file);
  try {
    return db
      .prepare("SELECT seq FROM jobs ORDER BY seq")
      .all()
      .map((row) => String(row["seq"]));
  } finally {
    db.close();
  }
}

const hasStrace = spawnSync("strace", ["-V"]).status === 0;
if (!hasStrace)
  console.log(
    "skipped, for there is no strace (apt install strace): that each acknowledgement follows its fdatasync",
  );

test.runIf(hasStrace)(
  "every enqueue is acknowledged only after what was written of it was synced",
  async () => {
    const place = folder();
    const trace = join(place, "trace");
    const strace = [
      "strace",
      "-f",
      "-y",
      "-e",
      "trace=write,pwrite64,fsync,fdatasync",
      "-s",
      "200",
      "-o",
      trace,
    ];
    const child = new Child([...strace, ...command(join(place, "jobs.db"), "40")] as [string, ...string[]]);
    expect(await child.ended).toMatchObject({ code: 0 });
    expect(enqueued(child)).toHaveLength(40);
    let isDirty = false;
    let acknowledged = 0;
    let syncs = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      if (/pwrite64\(\d+<[^>]*jobs\.db-wal>/.test(line)) isDirty = true;
      else if (/f(data)?sync\(\d+<[^>]*jobs\.db-wal>/.test(line)) {
        isDirty = false;
        syncs++;
      } else if (line.includes('\\"enqueued\\"')) {
        acknowledged++;
        expect(isDirty, line).toBe(false);
        // One for each, for each was awaited before the next.
        expect(syncs).toBeGreaterThanOrEqual(acknowledged);
      }
    }
    expect(acknowledged).toBe(40);
  },
);

/** Whether a disk of our own may be mounted here: as root, in a namespace that goes with the process. */
const mayMount =
  spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]).status === 0;

test.runIf(mayMount)(
  "a full disk: what was acknowledged is there, what was refused is not, and it goes on when there is room",
  async () => {
    const place = folder();
    const file = join(place, "jobs.db");
    const copy = join(folder(), "copy.db");
    const quoted = command(file, "1000", "big")
      .map((part) => `'${part}'`)
      .join(" ");
    const child = new Child(["unshare", "-m", "sh", "-c", fullDisk(place, quoted, copy)]);
    await child.untilSaid(/"refused"/);
    child.process.stdin?.write("again\n");
    expect(await child.ended).toMatchObject({ code: 0 });
    expect(words(child).find(({ what }) => what === "refused")).toMatchObject({ text: "HF_ENGINE_FULL" });
    expect(words(child).find(({ what }) => what === "note")?.text).toContain("jobs.db");
    const ids = enqueued(child);
    expect(ids.length).toBeGreaterThan(10);
    expect(stored(copy)).toEqual(ids);
  },
);

/** Fills half of a small disk with ballast, which goes as soon as the program asks for room; keeps the database. */
function fullDisk(place: string, program: string, copy: string): string {
  return [
    `mount -t tmpfs -o size=4m tmpfs '${place}'`,
    `head -c 2000000 /dev/zero > '${place}/ballast'`,
    // The test's "again" comes after the refusal: by then there is to be room.
    `(read line; rm '${place}/ballast'; echo "$line") | ${program}`,
    `cp '${place}'/jobs.db '${copy}'`,
  ].join(" && ");
}

test("a file that may only be read is refused, with the reason", async () => {
  const place = folder();
  const file = join(place, "jobs.db");
  const first = new Child(command(file, "1"));
  await first.ended;
  chmodSync(file, 0o444);
  chmodSync(place, 0o555);
  // Root may write whatever the mode says: then it is somebody else who tries.
  const isRoot = process.getuid?.() === 0;
  const child = isRoot
    ? new Child(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ...command(file, "1")])
    : new Child(command(file, "1"));
  await child.ended;
  chmodSync(place, 0o755);
  expect(words(child)).toMatchObject([{ what: "refused", text: "HF_ENGINE_READONLY" }, { what: "note" }, {}]);
  expect(words(child)[1]?.text).toContain(file);
  expect(stored(file)).toEqual(["1"]);
});

test("a folder that is not there is named, and no file is left", async () => {
  const file = join(folder(), "nowhere", "jobs.db");
  const child = new Child(command(file, "1"));
  await child.ended;
  expect(words(child)).toMatchObject([
    { what: "refused", text: "HF_ENGINE_UNAVAILABLE" },
    { what: "note" },
    { what: "note", text: "there is no file" },
  ]);
  expect(words(child)[1]?.text).toContain(file);
});

test("a file that somebody else has locked is waited for, then refused; and taken when it is free", async () => {
  const file = join(folder(), "jobs.db");
  const child = new Child(command(file, "2"));
  await child.untilSaid(/"enqueued"/);
  await child.ended;
  const db = new DatabaseSync(file);
  db.exec("BEGIN IMMEDIATE");
  const other = new Child(command(file, "1"));
  await other.untilSaid(/"refused"/);
  db.exec("ROLLBACK");
  db.close();
  other.process.stdin?.write("again\n");
  await other.ended;
  expect(words(other).find(({ what }) => what === "refused")).toMatchObject({ text: "HF_ENGINE_BUSY" });
  expect(stored(file).length).toBeGreaterThanOrEqual(2);
});
