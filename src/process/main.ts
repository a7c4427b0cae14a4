import { isMainThread } from "node:worker_threads";
import { badOption, toMs } from "../core/duration.ts";
import { openScope } from "../core/scope.ts";
import type { RootOptions } from "../core/options.ts";
import type { Scope } from "../core/types.ts";
import type { Duration } from "../core/words.ts";
import { watch } from "../watch/watch.ts";
import type { WatchOptions } from "../watch/options.ts";
import { registry } from "./copies.ts";
import { keepTellingDead } from "./dead.ts";
import { Program } from "./program.ts";
import { isHangupToBeIgnored, toStopSignals } from "./stop-signals.ts";
import type { SignalName } from "./stop-signals.ts";

/** Options of `main`: those of its root scope (but for bounds, which belong to a scope inside it), and how it ends. */
export interface MainOptions extends Omit<RootOptions, "concurrency" | "queue" | "onFull"> {
  /** How long live work may still finish by itself. @default "20s" */
  readonly drain?: Duration;
  /** How long what is then cancelled may take to stop; also the grace of the root's tasks. @default "5s" */
  readonly grace?: Duration;
  /** How long requests are still accepted while readiness already says no: a load balancer turns away first. @default 0 */
  readonly notReadyFor?: Duration;
  /**
   * Which signals end the process. SIGHUP is left alone where the program was started to outlive its terminal (nohup).
   * @default ["SIGTERM", "SIGINT", "SIGHUP"], on Windows also "SIGBREAK"
   */
  readonly signals?: readonly SignalName[];
  /** What the watch over the tasks is asked for; `false`: none. @default {} */
  readonly watch?: WatchOptions | false;
  /**
   * Whether `holdfast ps`, `tree`, `cancel` and the like, run by the same user, see this process: through a socket in a
   * folder that only that user can reach.
   * @default true
   */
  readonly agent?: boolean;
}

const DRAIN = "20s";
const GRACE = "5s";

/**
 * Runs a program: opens its root scope, runs `body` in it as the task `main`, and owns the process until it ends.
 *
 * What `body` starts with the ambient functions or on `app` stands in the root scope and may outlive `body`. The
 * process lives until no task is left and the event loop is otherwise empty; then this resolves, and prints nothing.
 * A signal, `app.requestClose()`, a service past its restart intensity, a `body` that fails or an error that nobody
 * caught end it before: readiness says no, intake stops, tasks drain (not after a failure), are cancelled, and have
 * their grace; then a report goes to stderr (text on a terminal, else one line of JSON: {@link ProcessReport}), and
 * the process exits. That takes at most `notReadyFor + drain + grace` and less than two seconds, also where a task
 * blocks the event loop: a thread of its own keeps the deadline.
 *
 * Exit codes: 0 clean, also after a signal (or `process.exitCode`, if that was set); 1 where `body` failed, a service
 * escalated, the first failure closed the root, an error was uncaught, or something would not stop in time; 137 where
 * the process had to be killed, its loop being blocked in native code; 128 + n for a second signal n, at least 500 ms
 * after the first, which exits at once. Failures that went to `onError` do not count.
 *
 * @throws RangeError (as a rejection) for an option that cannot be; Error (`HF_MAIN_RUNNING`, `HF_NOT_MAIN_THREAD`)
 * where a `main()` runs already, and in a worker thread.
 * @example
 * await main("courier", async (app) => {
 *   app.service("poller", async (task) => {
 *     for await (const _ of task.every("5s")) await poll({ signal: task.signal });
 *   });
 * });
 */
export async function main(
  name: string,
  body: (app: Scope) => unknown,
  options: MainOptions = {},
): Promise<void> {
  const {
    drain = DRAIN,
    grace = GRACE,
    notReadyFor = 0,
    signals,
    agent = true,
    watch: watching = {},
    ...root
  } = options;
  const limits = {
    drain: toMs(drain, "drain"),
    grace: toMs(grace, "grace"),
    notReadyFor: toMs(notReadyFor, "notReadyFor"),
  };
  for (const bound of ["concurrency", "queue", "onFull"]) {
    if (bound in root)
      throw badOption(bound, (root as Record<string, unknown>)[bound], "none: bound a scope inside");
  }
  if (typeof body !== "function") throw badOption("body", body, "a function");
  if (typeof agent !== "boolean") throw badOption("agent", agent, "true or false");
  const stopSignals = toStopSignals(signals);
  if (!isMainThread) {
    throw Object.assign(
      new Error("main() owns a process, and a worker thread has none: use openScope() here"),
      {
        code: "HF_NOT_MAIN_THREAD",
      },
    );
  }
  const own = registry();
  if (own.main !== undefined) {
    throw Object.assign(new Error(`main("${own.main}") owns this process: there is no second one`), {
      code: "HF_MAIN_RUNNING",
    });
  }
  const scope = openScope(name, { ...root, grace: limits.grace });
  if (watching !== false) own.preload?.releaseWatch();
  const stopTelling = watching !== false && watching.journal !== false ? keepTellingDead(name) : undefined;
  own.main = name;
  const program = new Program({
    scope,
    limits,
    signals: stopSignals,
    ignoresHangup: isHangupToBeIgnored(signals),
    watch: watching === false ? undefined : watch(scope, { journal: true, ...watching }),
    hasAgent: agent,
    stopTelling,
  });
  await program.run(body);
}
