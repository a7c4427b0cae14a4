import { readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { given } from "../../core/given.ts";
import { wall } from "../../core/clock.ts";
import { hasPid, startOf, textOf } from "../pids.ts";
import type { Identity } from "./format.ts";

/**
 * Whether a process is there. `unsure`: it cannot be looked for, being one of another container or machine whose
 * journals lie in the same folder, and it has written a moment ago.
 */
export type Fate = "lives" | "gone" | "unsure";

/**
 * A process that cannot be looked for is taken for gone when its journal was not written for so long, in ms: one that
 * lives writes every second. Whoever met one that is `unsure` may look again after this.
 */
export const SILENCE = 30_000;

/** This process. */
export function ownIdentity(): Identity {
  return given({
    pid: process.pid,
    host: hostname(),
    boot: textOf("/proc/sys/kernel/random/boot_id"),
    space: spaceOf(),
    ticks: startOf("self")?.ticks,
  });
}

/** What has become of a process, the journal of which was last written at `writtenAt` (ms since the epoch). */
export function fateOf(one: Identity, writtenAt: number, own: Identity = ownIdentity()): Fate {
  const isHere = one.host === own.host && one.space === own.space;
  if (!isHere) return wall() - writtenAt > SILENCE ? "gone" : "unsure";
  // The machine was started anew, and every process with it.
  if (one.boot !== own.boot) return "gone";
  const start = startOf(one.pid);
  if (start === "none") return "gone";
  // No such files here: all that can be asked is whether something has the pid.
  if (start === undefined || one.ticks === undefined) return hasPid(one.pid) ? "lives" : "gone";
  // A zombie is what its parent has not asked for yet. Another start is another process, to which the pid came.
  return start.state !== "Z" && start.state !== "X" && start.ticks === one.ticks ? "lives" : "gone";
}

function spaceOf(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    // No Linux, or not allowed: then pids are taken for what they are here.
    return undefined;
  }
}
