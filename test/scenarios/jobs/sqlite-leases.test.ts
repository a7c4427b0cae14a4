import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "vitest";
import { abandoned, blocked, jumped, stopped, versions, type Place } from "./leases.ts";

/** A file of one's own. */
function place({ onTestFinished: onFinished }: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-leases-"));
  onFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { engine: `sqlite:${join(folder, "jobs.db")}`, folder, lease: 1, onFinished };
}

test("SQLite: a worker that was stopped past its lease can store nothing any more", (t) => stopped(place(t)));
test("SQLite: a worker whose event loop stood past its lease completes nothing", (t) => blocked(place(t)));
test("SQLite: a clock that jumps an hour ahead ends no lease, and what is due by then runs", (t) =>
  jumped(place(t), 1));
test("SQLite: a clock that jumps an hour back ends no lease, and starts nothing twice", (t) =>
  jumped(place(t), -1));
test("SQLite: a worker with older code leaves the jobs that it does not know", (t) => versions(place(t)));
test("SQLite: an attempt that was given up is told with the line at which it still waits", (t) =>
  abandoned({ ...place(t), lease: 10 }));
