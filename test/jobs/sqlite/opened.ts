import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

import { engineClock } from "../../../src/jobs/engine-clock.ts";
import type { ClaimedJob, EngineContext, JobStore, NewJob } from "../../../src/jobs/engine.ts";
import { sqlite, type SqliteOptions } from "../../../src/jobs/sqlite/index.ts";

/** A folder of its own for a test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-sqlite-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Opened {
  readonly store: JobStore;
  /** What it was woken for, in order. */
  readonly woken: string[];
  /** Resolves when it is woken for this the next time. */
  untilWoken(what: "jobs" | "cancel" | "end"): Promise<void>;
}

/** What plain Node needs to run a source: nothing, but on the oldest that we support. */
export const runsSources = process.features.typescript === false ? ["--experimental-strip-types"] : [];

let opened = 0;

export async function open(
  file: string,
  options: SqliteOptions = {},
  context: Partial<EngineContext> = {},
): Promise<Opened> {
  const woken: string[] = [];
  const waiting = new Map<string, (() => void)[]>();
  const store = await sqlite(file, options).open({
    worker: `worker-${++opened}`,
    lease: 30_000,
    work: true,
    wake: (what) => {
      woken.push(what);
      for (const resolve of waiting.get(what)?.splice(0) ?? []) resolve();
    },
    onTrouble: (error) => {
      throw error;
    },
    clock: engineClock,
    ...context,
  });
  onTestFinished(() => store.close());
  return {
    store,
    woken,
    untilWoken: (what) =>
      new Promise((resolve) => {
        const all = waiting.get(what) ?? [];
        waiting.set(what, all);
        all.push(resolve);
      }),
  };
}

export function newJob(more: Partial<NewJob> = {}): NewJob {
  return {
    name: "deliver",
    input: "1",
    priority: 0,
    maxLapses: 1,
    keep: { succeeded: 60_000, failed: 60_000 },
    ...more,
  };
}

export async function claim(store: JobStore, limit = 10, ...names: string[]): Promise<readonly ClaimedJob[]> {
  const asked = names.length === 0 ? ["deliver"] : names;
  const { jobs } = await store.claim({ limit, names: asked.map((name) => ({ name, limit })) });
  return jobs;
}
