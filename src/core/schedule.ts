import { stopTask } from "./cancel.ts";
import { wall } from "./clock.ts";
import { scopePath } from "./describe.ts";
import { badOption, oneOf, toFunction, toMs } from "./duration.ts";
import { given } from "./given.ts";
import { toServiceState } from "./restart.ts";
import { DRAINING } from "./scope-node.ts";
import type { ScopeNode } from "./scope-node.ts";
import { spawnInTask, spawnService } from "./spawn.ts";
import { handleOf } from "./task-handle.ts";
import { stopErrorOf } from "./stop-signal.ts";
import { extrasOf, STOPPING } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { TaskView } from "./task-view.ts";
import type { CronOptions, EveryOptions, SpawnOptions } from "./options.ts";
import type { Run, Task, TaskContext } from "./types.ts";
import type { Duration } from "./words.ts";
import { pause, rejected } from "./wait.ts";

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
  const { overlap: asked, timeout, retry, ...own } = options;
  const overlap = oneOf("overlap", asked, ["skip", "queue", "allow"]);
  toFunction(run, "run");
  const runOptions: SpawnOptions = given({ timeout, retry, grace: own.grace, onError: own.onError });
  const body = (task: TaskContext): Promise<void> => runAll(task, times(task), overlap, run, runOptions);
  const state = toServiceState({ restart: "never", ready: false }, true);
  return handleOf(spawnService(scope, name, body, own, state)) as Task<void>;
}

/** Each run is a child of the schedule, so that its failure is delivered by itself and the schedule goes on. */
async function runAll(
  task: TaskContext,
  times: AsyncIterable<unknown>,
  overlap: "skip" | "queue" | "allow",
  run: Run<unknown>,
  options: SpawnOptions,
): Promise<void> {
  const node = TaskView.nodeOf(task);
  // Counted, and compared, with runs of this schedule alone.
  const name = `${node.name}.run`;
  let live = 0;
  let isOneWaiting = false;
  const start = (): void => {
    live++;
    extrasOf(spawnInTask(node, name, run, options, 0)).onEnd = ended;
  };
  const ended = (): void => {
    live--;
    if (node.scope.state >= DRAINING) {
      if (live === 0) endByDrain(node);
    } else if (isOneWaiting && (node.flags & STOPPING) === 0) {
      isOneWaiting = false;
      start();
    }
  };
  for await (const _ of times) {
    if (live === 0 || overlap === "allow") start();
    else if (overlap === "queue") isOneWaiting = true;
  }
  // By cron there may be no further time; then it is done.
  if (node.scope.state < DRAINING) return;
  if (live === 0) endByDrain(node);
  await untilCancelled(node);
}

/** No further run is due, and none is under way. */
function endByDrain(node: TaskNode): void {
  const { scope } = node;
  stopTask(node, "drain", scopePath(scope.drainRoot ?? scope), scope.reason);
}

/** Waits for nothing but its cancellation. */
function untilCancelled(node: TaskNode): Promise<unknown> {
  const stop = stopErrorOf(node);
  return stop === undefined ? pause("event", node).promise : rejected(stop);
}

/** What we use of `croner`, an optional peer. */
export interface CronModule {
  readonly Cron: new (expression: string, options: { paused: true; timezone?: string }) => Cron;
}

/** When an expression comes true. */
export interface Cron {
  nextRun(after?: Date): Date | null;
}

/** An expression, read. Throws `RangeError` for one that cannot be, or a time zone that there is not. */
export function readCron({ Cron }: CronModule, expression: string, timeZone: string | undefined): Cron {
  try {
    const cron = new Cron(expression, { paused: true, ...given({ timezone: timeZone }) });
    // The time zone is looked up only here.
    cron.nextRun();
    return cron;
  } catch (cause) {
    const zone = timeZone === undefined ? "" : ` in the time zone ${JSON.stringify(timeZone)}`;
    throw badOption("expression", expression, `one that croner can read${zone} (${String(cause)})`);
  }
}

/** Clocks of the wall are set; no longer sleep than this goes unchecked. */
const LONGEST_SLEEP = 3_600_000;

async function* cronTimes(
  task: TaskContext,
  name: string,
  expression: string,
  timeZone: string | undefined,
): AsyncGenerator<Date> {
  const cron = readCron(await loadCroner(name), expression, timeZone);
  let next = cron.nextRun(new Date(wall()));
  while (next !== null) {
    const left = next.getTime() - wall();
    if (left > 0) {
      const ticks = task.every(Math.min(left, LONGEST_SLEEP))[Symbol.asyncIterator]();
      // No tick: the schedule is over, because the scope drains.
      if ((await ticks.next()).done === true) return;
      continue;
    }
    yield next;
    // From now, not from what was due: what was missed while asleep is skipped, never made up for in a burst.
    next = cron.nextRun(new Date(Math.max(wall(), next.getTime())));
  }
}

export async function loadCroner(name: string): Promise<CronModule> {
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
