import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { saysGone } from "./errors.ts";

/** Threads of V8 that work for every isolate of a process, by the names that Node gives them from 24 on. */
const HELPERS = /^(node-)?V8Worker|^DelayedTaskSche/;

/**
 * How much every thread of a process has run, by what the kernel counts: time on a processor, and how often it was put
 * on one (`schedstat`, Documentation/scheduler/sched-stats.rst). Where nothing has changed between two looks nothing
 * ran in between, and all that was read is from one moment. Undefined where the kernel does not count.
 *
 * Of this process itself the thread that asks does not count, nor do V8's helpers, which work for that thread, too.
 * What they do for others while those sleep moves nothing that is alive.
 */
export function activity(root: string): string | undefined {
  const counts: string[] = [];
  const own = root === "/proc/self" ? readlinkSync("/proc/thread-self").split("/").at(-1) : undefined;
  for (const thread of readdirSync(`${root}/task`)) {
    if (thread === own) continue;
    try {
      const at = `${root}/task/${thread}`;
      if (own !== undefined && HELPERS.test(readFileSync(`${at}/comm`, "latin1"))) continue;
      const [ran = "", , turns = ""] = readFileSync(`${at}/schedstat`, "latin1").trim().split(" ");
      counts.push(`${thread}:${ran}:${turns}`);
    } catch (error) {
      if (!saysGone(error)) throw error;
      // No schedstat, or the thread has just ended: that is activity enough.
      return undefined;
    }
  }
  return counts.toSorted().join(" ");
}
