import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, test } from "vitest";
import { blocked, jumped, stopped, versions, type Place } from "./leases.ts";

/** A file of one's own. */
function place(): Place {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-leases-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { engine: `sqlite:${join(folder, "jobs.db")}`, folder, lease: 1 };
}

test("SQLite: a worker that was stopped past its lease can store nothing any more", () => stopped(place()));
test("SQLite: a worker whose event loop stood past its lease completes nothing", () => blocked(place()));
test("SQLite: a clock that jumps an hour ahead ends no lease, and what is due by then runs", () =>
  jumped(place(), 1));
test("SQLite: a clock that jumps an hour back ends no lease, and starts nothing twice", () =>
  jumped(place(), -1));
test("SQLite: a worker with older code leaves the jobs that it does not know", () => versions(place()));
