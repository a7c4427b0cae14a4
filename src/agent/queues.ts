import { outside } from "../core/context.ts";
import { scopePath, scopeState } from "../core/describe.ts";
import { describeError } from "../core/errors.ts";
import type { OpenQueue } from "../jobs/open-queues.ts";
import type { JobStats } from "../jobs/record.ts";
import type { QueueInfo } from "./answers.ts";
import { later } from "./pace.ts";

/** For how long an engine may think about its counts, in ms: one that cannot be reached may never answer. */
const PATIENCE = 5000;

/** A queue in words, with what its engine says of its jobs, or why it does not. */
export async function queueInfo(queue: OpenQueue): Promise<QueueInfo> {
  const { scope, engine, jobs, running, concurrency } = queue;
  const info = { path: scopePath(scope), state: scopeState(scope), engine, jobs, running, concurrency };
  try {
    return { ...info, stats: await statsOf(queue) };
  } catch (error) {
    return { ...info, error: describeError(error) };
  }
}

function statsOf(queue: OpenQueue): Promise<JobStats> {
  return new Promise((resolve, reject) => {
    const dontGiveUp = later(PATIENCE, () =>
      reject(new Error(`${queue.engine} has not answered within ${PATIENCE} ms`)),
    );
    // Outside: the socket may have been opened from inside of a task.
    outside(() => queue.stats())
      .finally(dontGiveUp)
      .then(resolve, reject);
  });
}
