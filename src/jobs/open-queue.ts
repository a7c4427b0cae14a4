import { badOption, toCount, toMs, toName, toObject } from "../core/duration.ts";
import { report } from "../core/reporter.ts";
import { ScopeView } from "../core/scope-view.ts";
import { refuseUnable } from "./capabilities.ts";
import { settingsOf } from "./define.ts";
import type { AnyJob, JobSettings } from "./define.ts";
import { engineClock } from "./engine-clock.ts";
import type { Engine } from "./engine.ts";
import { JobQueue } from "./job-queue.ts";
import type { Queue, QueueOptions } from "./queue.ts";
import { Trouble } from "./trouble.ts";
import { workerName } from "./worker-name.ts";

const DEFAULT_LEASE = "30s";
const DEFAULT_CONCURRENCY = 10;

/**
 * Opens a queue on an engine, below a scope. It runs the jobs that it knows, each attempt as a task, until the scope
 * closes. Rejects with `EngineError` where the engine cannot be opened, and `RangeError` for an option that cannot be.
 *
 * @example
 * const queue = await openQueue({ scope: app, engine: sqlite("courier.db"), jobs: [deliver] });
 * const { id } = await queue.enqueue(deliver, { url, body });
 */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const { work = true } = toObject(options, "options");
  const engine = toEngine(options.engine);
  const lease = toMs(options.lease ?? DEFAULT_LEASE, "lease");
  const concurrency = toCount(options.concurrency ?? DEFAULT_CONCURRENCY, "concurrency", 1);
  if (lease < engine.capabilities.minLease)
    throw badOption(
      "lease",
      options.lease,
      `at least ${engine.capabilities.minLease} ms, for ${engine.name}`,
    );
  const definitions = toDefinitions(options.jobs, engine);
  // Checked before anything is opened.
  ScopeView.nodeOf(options.scope);
  const scope = options.scope.scope(toName(options.name ?? "jobs", "name"));
  const trouble = new Trouble(
    options.onTrouble ?? ((error) => report(`${scope.path}: ${engine.name} gives trouble:`, error)),
  );
  let queue: JobQueue | undefined;
  try {
    const store = await engine.open({
      worker: workerName(),
      lease,
      work,
      clock: engineClock,
      onTrouble: (error) => trouble.meet(error),
      wake: (what) => queue?.wake(what),
    });
    queue = new JobQueue({ scope, engine, store, definitions, lease, concurrency, trouble });
    if (work) queue.work();
    return queue;
  } catch (error) {
    await scope.cancel(error);
    throw error;
  }
}

function toEngine(engine: Engine): Engine {
  if (typeof toObject(engine, "engine").open === "function") return engine;
  throw badOption("engine", engine, 'an engine, such as sqlite("jobs.db")');
}

function toDefinitions(jobs: readonly AnyJob[], engine: Engine): ReadonlyMap<string, JobSettings> {
  if (!Array.isArray(jobs)) throw badOption("jobs", jobs, "an array of what defineJob() returned");
  const definitions = new Map<string, JobSettings>();
  for (const job of jobs) {
    const settings = settingsOf(job);
    if (definitions.has(settings.name)) throw badOption("jobs", settings.name, "one definition of each name");
    refuseUnable(engine, settings);
    definitions.set(settings.name, settings);
  }
  return definitions;
}
