import { readdirSync, readFileSync } from "node:fs";
import { systemCode } from "./errors.ts";

/**
 * How much every thread of a process has run, by what the kernel counts: time on a processor, and how often it was put
 * on one (`schedstat`, Documentation/scheduler/sched-stats.rst). Where nothing has changed between two looks nothing
 * ran in between, and all that was read is from one moment. Undefined where the kernel does not count.
 */
export function activity(root: string): string | undefined {
  const counts: string[] = [];
  for (const thread of readdirSync(`${root}/task`)) {
    try {
      const [ran = "", , turns = ""] = readFileSync(`${root}/task/${thread}/schedstat`, "latin1")
        .trim()
        .split(" ");
      counts.push(`${thread}:${ran}:${turns}`);
    } catch (error) {
      if (systemCode(error) !== "ENOENT" && systemCode(error) !== "ESRCH") throw error;
      // The thread has just ended: that is activity enough.
      return undefined;
    }
  }
  return counts.toSorted().join(" ");
}
