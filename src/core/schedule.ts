import { wall } from "./clock.ts";
import { badOption, toFunction, toMs } from "./duration.ts";
import { refuseReady } from "./readiness.ts";
import { toServiceState } from "./restart.ts";
import type { ScopeNode } from "./scope-node.ts";
import { spawnInTask, spawnService } from "./spawn.ts";
import { handleOf } from "./task-handle.ts";
import { extrasOf } from "./task-node.ts";
import { TaskView } from "./task-view.ts";
import type { CronOptions, EveryOptions, SpawnOptions } from "./options.ts";
import type { Run, Task, TaskContext } from "./types.ts";
import type { Duration } from "./words.ts";

/** Runs at a fixed rate. */
export function spawnEvery(
  scope: ScopeNode,
  name: string,
  period: Duration,
  run: Run<unknown>,
  options: EveryOptions,
): Task<void> {
  const ms = toMs(period, "every");
  return spawnSchedule(scope, name, run, options, (task) => task.every(ms));
}

/** Runs by a cron expression. */
export function spawnCron(
  scope: ScopeNode,
  name: string,
  expression: string,
  run: Run<unknown>,
  options: CronOptions,
): Task<void> {
  return spawnSchedule(scope, name, run, options, (task) =>
    cronTimes(task, name, expression, options.timeZone),
  );
}

function spawnSchedule(
  scope: ScopeNode,
  name: string,
  run: Run<unknown>,
  options: EveryOptions,
  times: (task: TaskContext) => AsyncIterable<unknown>,
): Task<void> {
  const { overlap = "skip", timeout, retry, ...own } = options;
  if (!OVERLAPS.includes(overlap)) throw badOption("overlap", overlap, OVERLAPS.join(", "));
  toFunction(run, "run");
  const runOptions: SpawnOptions = {
    ...(timeout === undefined ? {} : { timeout }),
    ...(retry === undefined ? {} : { retry }),
    ...(own.grace === undefined ? {} : { grace: own.grace }),
    ...(own.onError === undefined ? {} : { onError: own.onError }),
  };
  const body = (task: TaskContext): Promise<void> => runAll(task, times(task), overlap, run, runOptions);
  return handleOf(spawnService(scope, name, body, own, toServiceState({}, true), refuseReady)) as Task<void>;
}

const OVERLAPS: readonly string[] = ["skip", "queue", "allow"];

/** Each run is a child of the schedule, so that its failure is delivered by itself and the schedule goes on. */
async function runAll(
  task: TaskContext,
  times: AsyncIterable<unknown>,
  overlap: "skip" | "queue" | "allow",
  run: Run<unknown>,
  options: SpawnOptions,
): Promise<void> {
  let live = 0;
  let isOneWaiting = false;
  const start = (): void => {
    live++;
    extrasOf(spawnInTask(TaskView.nodeOf(task), "run", run, options, 0)).onEnd = ended;
  };
  const ended = (): void => {
    live--;
    if (!isOneWaiting || task.draining.aborted || task.signal.aborted) return;
    isOneWaiting = false;
    start();
  };
  for await (const _ of times) {
    if (live === 0 || overlap === "allow") start();
    else if (overlap === "queue") isOneWaiting = true;
  }
}

/** What we use of `croner`, an optional peer. */
interface CronModule {
  readonly Cron: new (
    expression: string,
    options: { paused: true; timezone?: string },
  ) => { nextRun(after?: Date): Date | null };
}

/** Clocks of the wall are set; no longer sleep than this goes unchecked. */
const LONGEST_SLEEP = 3_600_000;

async function* cronTimes(
  task: TaskContext,
  name: string,
  expression: string,
  timeZone: string | undefined,
): AsyncGenerator<Date> {
  const { Cron } = await loadCroner(name);
  const cron = new Cron(expression, {
    paused: true,
    ...(timeZone === undefined ? {} : { timezone: timeZone }),
  });
  let next = cron.nextRun(new Date(wall()));
  while (next !== null) {
    const left = next.getTime() - wall();
    if (left > 0) {
      const [isOver] = await firstTick(task, Math.min(left, LONGEST_SLEEP));
      if (isOver) return;
      continue;
    }
    yield next;
    // From now, not from what was due: what was missed while asleep is skipped, never made up for in a burst.
    next = cron.nextRun(new Date(Math.max(wall(), next.getTime())));
  }
}

/** Sleeps, and says whether the schedule is over because the scope drains. */
async function firstTick(task: TaskContext, ms: number): Promise<readonly [isOver: boolean]> {
  const { done } = await task.every(ms)[Symbol.asyncIterator]().next();
  return [done === true];
}

async function loadCroner(name: string): Promise<CronModule> {
  try {
    return await import("croner");
  } catch (cause) {
    throw Object.assign(
      new Error(`${name}: cron() needs the package "croner", which is not installed: npm install croner`, {
        cause,
      }),
      { code: "HF_PEER_MISSING" },
    );
  }
}
