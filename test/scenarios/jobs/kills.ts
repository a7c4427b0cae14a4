import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { openScope } from "../../../src/index.ts";
import { openQueue, type JobRecord } from "../../../src/jobs/index.ts";
import { engineOf } from "./fixtures/engine-of.ts";
import { Oracle, type FaultyProcess, type Heard, type OnFinished } from "./oracle.ts";

export interface Kills {
  /** As `engineOf` takes it. */
  readonly engine: string;
  readonly folder: string;
  readonly kills: number;
  /** In seconds. */
  readonly lease: number;
  readonly onFinished: OnFinished;
}

/** From the end of a lease until its job runs again, in ms. */
const SLACK = 2000;
const WORKERS = 4;
const ENQUEUERS = 2;
/** The numbers of one enqueuer begin this far from those of the one before. */
const APART = 1_000_000;

/**
 * Kills workers and enqueuers at random, starts others in their place, and then holds what the store says against what
 * was heard. Returns a line that says how much was seen.
 */
export async function killAtRandom({ engine, folder, kills, lease, onFinished }: Kills): Promise<string> {
  const oracle = new Oracle(folder, onFinished);
  let enqueuers = 0;
  const common = ["--engine", engine, "--lease", `${lease}s`];
  const startWorker = (): FaultyProcess => oracle.start([...common, "--role", "work"]);
  const startEnqueuer = (): FaultyProcess =>
    oracle.start([...common, "--role", "enqueue", "--from", String(APART * enqueuers++)]);
  const workers = Array.from({ length: WORKERS }, startWorker);
  const others = Array.from({ length: ENQUEUERS }, startEnqueuer);
  await oracle.until(() => new Set(oracle.heard.map(({ by }) => by)).size === WORKERS + ENQUEUERS);
  for (let kill = 0; kill < kills; kill++) {
    // Slow enough that the machine is not busy with starting processes alone: it is the store that is tried.
    await pause(150 + Math.random() * 400);
    const isWorker = kill % 5 !== 4;
    const some = isWorker ? workers : others;
    const at = Math.floor(Math.random() * some.length);
    // Not before it has begun: a kill in the middle of work is what is asked for.
    const victim = some[at] as FaultyProcess;
    await oracle.until(() => oracle.heard.some(({ by, what }) => by === victim.by && what !== "ready"));
    await victim.kill();
    some[at] = isWorker ? startWorker() : startEnqueuer();
  }
  await Promise.all(others.map((one) => one.end()));
  const scope = openScope("oracle");
  const queue = await openQueue({
    scope,
    engine: await engineOf(engine),
    jobs: [],
    work: false,
    lease: `${lease}s`,
  });
  const acknowledged = new Map(
    oracle.heard.filter(({ what }) => what === "enqueued").map(({ id, text }) => [id, Number(text)]),
  );
  for (const [id, n] of acknowledged) expect(await queue.result(id), `job ${id}`).toBe(n);
  // Also those whose enqueue was not acknowledged any more end.
  for (let { queued, running } = await queue.stats(); queued + running > 0;) {
    await pause(50);
    ({ queued, running } = await queue.stats());
  }
  await Promise.all(workers.map((one) => one.end()));
  const records = new Map<string, JobRecord>();
  for (const id of new Set(oracle.heard.map((word) => word.id).filter((one) => one !== ""))) {
    const record = await queue.get(id);
    if (record !== undefined) records.set(id, record);
  }
  await scope.close();
  const jobs = new Map<string, Heard[]>();
  // Each came through a pipe of its own: in the order in which they were said, by the clock that all share.
  for (const word of oracle.heard.toSorted((a, b) => a.ms - b.ms || a.attempt - b.attempt)) {
    const words = jobs.get(word.id);
    if (words === undefined) jobs.set(word.id, [word]);
    else words.push(word);
  }
  expect(oracle.heard.filter(({ what }) => what === "note").map(({ text }) => text)).toEqual([]);
  let reruns = 0;
  let slowest = 0;
  for (const [id, words] of jobs) {
    if (id === "") continue;
    const record = records.get(id);
    expect(record?.state, `job ${id}`).toBe("succeeded");
    checkOne(id, words);
    for (const victim of oracle.processes) {
      const ms = againAfter(victim, words, record);
      if (ms === undefined) continue;
      reruns++;
      slowest = Math.max(slowest, ms);
      expect(ms, `job ${id} after a kill`).toBeLessThanOrEqual(lease * 1000 + SLACK);
    }
  }
  expect(reruns).toBeGreaterThan(0);
  return `${kills} kills, ${records.size} jobs, ${acknowledged.size} acknowledged, ${reruns} run again after a kill, at most ${slowest} ms after it`;
}

/** What must hold of everything that was said of one job. */
function checkOne(id: string, words: readonly Heard[]): void {
  const ends = words.filter(({ what }) => what === "end");
  expect(ends.length, `completions of job ${id} that were acknowledged`).toBeLessThanOrEqual(1);
  const [end] = ends;
  if (end !== undefined) {
    const later = words.filter(({ what, ms }) => what === "start" && ms > end.ms);
    expect(later, `job ${id} runs after it was complete`).toEqual([]);
  }
  for (const step of ["one", "two"]) {
    const recorded = words.findIndex(({ what, text }) => what === "recorded" && text === step);
    if (recorded < 0) continue;
    const again = words.slice(recorded).filter(({ what, text }) => what === "running" && text === step);
    expect(again, `job ${id} does step ${step} after it was recorded`).toEqual([]);
  }
}

/** How long after the kill of its worker a job ran again; undefined: it did not run there then, or had ended. */
function againAfter(
  victim: FaultyProcess,
  words: readonly Heard[],
  record: JobRecord | undefined,
): number | undefined {
  const { killedAt, by } = victim;
  if (killedAt === undefined) return undefined;
  const last = words.findLast((word) => word.what === "start" && word.by === by);
  if (last === undefined) return undefined;
  const isOver = words.some((word) => word.by === by && word.what === "end");
  // It had failed and was to be tried again, or was complete, and could not say so any more.
  const attempt = record?.attempts.find((one) => one.attempt === last.attempt);
  if (isOver || attempt?.end !== "lapsed") return undefined;
  const next = record?.attempts.find((one) => one.attempt === last.attempt + 1);
  return next === undefined ? undefined : next.startedAt - killedAt;
}
