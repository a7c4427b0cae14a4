import { given } from "../../core/given.ts";
import type { JournalFailure, JournalTask } from "./format.ts";
import type { DeadProcess } from "./reader.ts";

/** How many tasks are listed. */
const MAX_TASKS = 100;

/**
 * A process that died before, and what ran in it: a line of JSON. Fields are only ever added; one that is absent says
 * that there was no such thing. Times are ms since the epoch.
 *
 * @example
 * // {"holdfast":"died","name":"courier","pid":17,"startedAt":1764165787000,"lastSweepAt":1764165912004,…}
 */
export interface DeathReport extends Pick<
  DeadProcess,
  "name" | "pid" | "startedAt" | "lastSweepAt" | "node" | "host"
> {
  readonly holdfast: "died";
  /** It did come to its end, but its tasks had not come to theirs, or something had failed unheard. */
  readonly hasEnded?: true;
  readonly exitCode?: number;
  /** What ran, the oldest first; at most 100 are listed. */
  readonly running: readonly JournalTask[];
  /** How many more ran. */
  readonly omitted?: number;
  /** What nobody caught or handled, the newest last; at most 20 different ones. */
  readonly failures?: readonly JournalFailure[];
}

export function toReport(dead: DeadProcess): DeathReport {
  const { name, pid, startedAt, lastSweepAt, node, host, running, unlisted, failures, hasEnded, exitCode } =
    dead;
  const listed = running.slice(0, MAX_TASKS);
  const omitted = running.length - listed.length + unlisted;
  return given({
    holdfast: "died" as const,
    name,
    pid,
    startedAt,
    lastSweepAt,
    node,
    host,
    hasEnded: hasEnded ? (true as const) : undefined,
    exitCode,
    running: listed,
    omitted: omitted > 0 ? omitted : undefined,
    failures: failures.length > 0 ? failures : undefined,
  });
}
