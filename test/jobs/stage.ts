import { onTestFinished } from "vitest";
import { openScope, type Scope } from "../../src/index.ts";
import { engineClock } from "../../src/jobs/engine-clock.ts";
import type { AnyJob } from "../../src/jobs/define.ts";
import { openQueue, type JobEvent, type Queue, type QueueOptions } from "../../src/jobs/index.ts";
import { useManualClock, type ManualClock } from "../../src/testing/index.ts";
import { memoryEngine } from "./memory-engine.ts";
import { MemoryJobs } from "./memory-jobs.ts";

/** A manual clock, a root scope, and queues on one store in memory, each as a process of its own would have it. */
export interface Stage {
  readonly clock: ManualClock;
  readonly app: Scope;
  readonly jobs: MemoryJobs;
  /** Failures that nobody awaited. */
  readonly failures: unknown[];
  /** What happened to jobs, in words: `end mail failed`. */
  readonly log: string[];
  open(definitions: readonly AnyJob[], options?: Partial<QueueOptions>): Promise<Queue>;
}

export function stage(): Stage {
  const clock = useManualClock();
  const failures: unknown[] = [];
  const log: string[] = [];
  const jobs = new MemoryJobs(engineClock);
  const app = openScope("app", { onError: (error) => void failures.push(error) });
  let opened = 0;
  const open = async (
    definitions: readonly AnyJob[],
    options: Partial<QueueOptions> = {},
  ): Promise<Queue> => {
    const name = `jobs${opened === 0 ? "" : opened}`;
    opened++;
    const queue = await openQueue({
      scope: app,
      engine: memoryEngine(jobs),
      jobs: definitions,
      name,
      ...options,
    });
    queue.on((event) => log.push(words(event)));
    return queue;
  };
  onTestFinished(async () => {
    const closing = app.close();
    await clock.advance("1m");
    await closing;
    clock.uninstall();
  });
  return { clock, app, jobs, failures, log, open };
}

function words(event: JobEvent): string {
  const state = event.type === "end" ? ` ${event.state}` : "";
  return `${event.type} ${event.job.name}${state}`;
}
