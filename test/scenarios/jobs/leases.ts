import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { openScope } from "../../../src/index.ts";
import { openQueue, type AnyJob, type Job, type Queue } from "../../../src/jobs/index.ts";
import { blocking, deaf, held, novel, work } from "./fixtures/definitions.ts";
import { engineOf } from "./fixtures/engine-of.ts";
import { Oracle, type FaultyProcess, type OnFinished } from "./oracle.ts";

/** What the stories of this file need. */
export interface Place {
  /** As `engineOf` takes it. */
  readonly engine: string;
  readonly folder: string;
  /** In seconds. */
  readonly lease: number;
  readonly onFinished: OnFinished;
}

interface Stage {
  readonly oracle: Oracle;
  readonly queue: Queue;
  worker(...more: readonly string[]): FaultyProcess;
}

async function stage({ engine, folder, lease, onFinished }: Place): Promise<Stage> {
  const oracle = new Oracle(folder, onFinished);
  const scope = openScope("test");
  const options = { scope, jobs: [] as AnyJob[], work: false, lease: `${lease}s` as const };
  const queue = await openQueue({ ...options, engine: await engineOf(engine) });
  onFinished(async () => void (await scope.close()));
  return {
    oracle,
    queue,
    worker: (...more) => oracle.start(["--engine", engine, "--lease", `${lease}s`, ...more]),
  };
}

const enqueue = async (queue: Queue, job: Job): Promise<string> => (await queue.enqueue(job, null)).id;

/** Stopped past its lease, it can store nothing any more: neither a step nor a completion. */
export async function stopped(place: Place): Promise<void> {
  const { oracle, queue, worker } = await stage(place);
  const one = worker();
  const id = await enqueue(queue, held);
  await oracle.untilHeard("recorded", { by: one.by, id, text: "one" });
  one.process.kill("SIGSTOP");
  const other = worker();
  await oracle.untilHeard("start", { by: other.by, id, attempt: 2 });
  one.process.kill("SIGCONT");
  one.tell("go");
  const refused = await oracle.untilHeard("refused", { by: one.by, id });
  // By the store, or before it was asked, for the worker has found out by itself.
  expect(["HF_LEASE_LOST", "ABORT_ERR"]).toContain(refused.text);
  await oracle.untilHeard("lost", { by: one.by, id });
  expect(await queue.get(id)).toMatchObject({ state: "running", steps: [{ name: "one" }] });
  other.tell("go");
  expect(await queue.result(id)).toBe(2);
  expect(oracle.heard.filter(({ what, by }) => what === "end" && by === one.by)).toEqual([]);
  // The step that was recorded before was not done again.
  expect(oracle.heard.filter(({ what, text }) => what === "running" && text === "one")).toHaveLength(1);
  expect((await queue.get(id))?.attempts).toMatchObject([{ end: "lapsed" }, { end: "succeeded" }]);
}

/** A worker whose event loop stood past its lease completes nothing, though nobody else has claimed the job. */
export async function blocked(place: Place): Promise<void> {
  const { oracle, queue, worker } = await stage(place);
  const one = worker();
  const { id } = await queue.enqueue(blocking, { ms: place.lease * 1000 + 1000 });
  expect(await oracle.untilHeard("refused", { by: one.by, id, attempt: 1 })).toMatchObject({
    text: "HF_LEASE_LOST",
  });
  expect(await queue.result(id)).toBe(2);
  expect((await queue.get(id))?.attempts).toMatchObject([{ end: "lapsed" }, { end: "succeeded" }]);
}

/**
 * The wall clocks of workers jump: no lease ends, nothing runs twice. What is due follows the wall clock, which is that of
 * the machine, or that of the database.
 */
export async function jumped(place: Place, byHours: number, { isDatabase = false } = {}): Promise<void> {
  const { oracle, queue, worker } = await stage(place);
  const [one, other] = [worker(), worker()];
  await Promise.all([one, other].map(({ by }) => oracle.untilHeard("ready", { by })));
  const id = await enqueue(queue, held);
  const { by } = await oracle.untilHeard("recorded", { id, text: "one" });
  const later =
    byHours > 0 && !isDatabase ? (await queue.enqueue(work, { n: 1 }, { delay: "1h" })).id : undefined;
  for (const each of [one, other]) each.tell(`jump ${byHours * 3_600_000}`);
  // Time has to pass in which nothing happens: that of two leases.
  await pause(place.lease * 2000);
  if (later !== undefined) await oracle.untilHeard("start", { id: later });
  (by === one.by ? one : other).tell("go");
  expect(await queue.result(id)).toBe(1);
  expect(oracle.heard.filter((word) => word.what === "start" && word.id === id)).toHaveLength(1);
}

/** Two versions of the code at once: the older one leaves what it does not know. */
export async function versions(place: Place): Promise<void> {
  const { oracle, queue, worker } = await stage(place);
  const old = worker();
  await oracle.untilHeard("ready", { by: old.by });
  const id = await enqueue(queue, novel);
  // What both know the old one runs meanwhile.
  const both = (await queue.enqueue(work, { n: 1 })).id;
  expect(await queue.result(both)).toBe(1);
  expect(await queue.get(id)).toMatchObject({ state: "queued", attempt: 0 });
  const young = worker("--version", "2");
  await queue.result(id);
  expect(oracle.heard.filter((word) => word.what === "start" && word.id === id)).toMatchObject([
    { by: young.by },
  ]);
}

/** An attempt that was given up: its record says at which line it still waits, and another attempt was made. */
export async function abandoned(place: Place): Promise<void> {
  const { queue, worker } = await stage(place);
  worker();
  const id = await enqueue(queue, deaf);
  expect(await queue.result(id)).toBe(2);
  const [first] = (await queue.get(id))?.attempts ?? [];
  expect(first).toMatchObject({ end: "failed", error: { code: "HF_TASK_ABANDONED" } });
  const file = fileURLToPath(new URL("./fixtures/definitions.ts", import.meta.url));
  const lines = readFileSync(file, "utf8").split("\n");
  const line = 1 + lines.findIndex((text) => text.includes("// it sits here"));
  expect(first?.awaiting).toMatchObject([{ file, line, function: "run" }]);
}
