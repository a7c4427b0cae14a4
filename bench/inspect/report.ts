import { ratio, type Bar } from "../bars.ts";
import { figure, printTable } from "../table.ts";
import type { Busy } from "./busy.ts";
import type { Gaps } from "./gaps.ts";
import type { Idle } from "./idle.ts";
import { SNAPSHOT_LIMIT, type Snapshot } from "./snapshot.ts";
import type { Start } from "./start.ts";
import type { Size } from "./target.ts";

/** What was found of one target. */
export interface Found {
  readonly size: Size;
  readonly idle: Idle;
  readonly gaps: Gaps;
  readonly busy: Busy;
  /** Undefined where none was asked for. */
  readonly snapshot: Snapshot | undefined;
}

/** A dump may take as long as so many plain reads, and so many ms for each function. */
const PLAIN_READS = 3;
const PER_FUNCTION = 0.006;
const MB = 1e6;

type Row = readonly string[];

export function printFound(all: readonly Found[]): void {
  printTable(
    "(a) a dump of a target that sleeps, beside a plain read of all its memory",
    ["ms", "MB", "dump", "cpu", "plain read", "cpu", "dump ÷ allowed", "by cpu", "reader's MB", "slept"],
    all.map(idleRow),
  );
  printTable(
    "(b) the longest gap of the target's event loop",
    ["ms", "idle", "own", "being read", "own", "beside a busy program", "own", "window", "rounds"],
    all.map(gapsRow),
  );
  printTable(
    "(c) a dump of a target that works",
    ["ms", "calls/s", "dump", "cpu", "÷ asleep", "by cpu", "functions", "changing"],
    all.map(busyRow),
  );
  printTable(
    "(d) holdfast dump, beside a heap snapshot",
    ["ms", "holdfast dump", "cpu", "longest gap", "heap snapshot", "cpu", "its pause", "dump ÷ it", "by cpu"],
    all.map(snapshotRow),
  );
}

function idleRow({ size, idle }: Found): Row {
  const { dump, plain, bytes, peak, rounds, quiet } = idle;
  const share = shareOfAllowed(size, idle);
  return [
    size.name,
    figure(bytes / MB),
    figure(dump.wall),
    figure(dump.cpu),
    figure(plain.wall),
    figure(plain.cpu),
    figure(share.reached),
    figure(share.cpu),
    figure(peak / MB),
    `${quiet} of ${rounds}`,
  ];
}

/** `own`: without waiting for a core. */
function gapsRow({ size, gaps: { idle, read, beside, window, rounds } }: Found): Row {
  return [
    size.name,
    ...[idle, read, beside].flatMap(({ longest, longestOwn }) => [figure(longest), figure(longestOwn)]),
    figure(window),
    String(rounds),
  ];
}

function busyRow({ size, idle, busy: { rate, dump, functions, changing } }: Found): Row {
  const share = ratio(dump, idle.dump);
  return [
    size.name,
    figure(rate),
    figure(dump.wall),
    figure(dump.cpu),
    figure(share.reached),
    figure(share.cpu),
    figure(functions),
    figure(changing),
  ];
}

function snapshotRow({ size, gaps, snapshot: found }: Found): Row {
  if (found === undefined) return [size.name, "takes minutes: --snapshots"];
  const { command, snapshot, pause } = found;
  const share = ratio(command, snapshot);
  return [
    size.name,
    figure(command.wall),
    figure(command.cpu),
    figure(gaps.read.longest),
    snapshot === undefined ? `not done in ${SNAPSHOT_LIMIT / 1_000} s` : figure(snapshot.wall),
    figure(snapshot?.cpu),
    figure(pause),
    figure(share.reached),
    figure(share.cpu),
  ];
}

export function printStart({ dump, bare, rounds }: Start): void {
  printTable(
    `(e) from start to end, a small target, ${rounds} rounds`,
    ["ms", "wall", "cpu"],
    [
      ["node -e 0", figure(bare.wall), figure(bare.cpu)],
      ["holdfast dump PID", figure(dump.wall), figure(dump.cpu)],
    ],
  );
}

/** A dump as a share of what it may take. */
function shareOfAllowed({ functions }: Size, { dump, plain }: Idle): Pick<Bar, "reached" | "cpu"> {
  const allowed = (read: number): number => PLAIN_READS * read + PER_FUNCTION * functions;
  return { reached: dump.wall / allowed(plain.wall), cpu: dump.cpu / allowed(plain.cpu) };
}

/** What must be kept of one target. */
export function barsOf({ size, idle, gaps, busy, snapshot }: Found): Bar[] {
  const of = size.name;
  return [
    {
      of,
      what: `÷ (${PLAIN_READS} plain reads + ${PER_FUNCTION * 1_000} µs for each function)`,
      ...shareOfAllowed(size, idle),
      atMost: 1,
    },
    { of, what: "MB of the reader", reached: idle.peak / MB, atMost: 400 },
    {
      of,
      what: "longest gap being read ÷ idle",
      reached: gaps.read.longest / gaps.idle.longest,
      cpu: gaps.read.longestOwn / gaps.idle.longestOwn,
      atMost: 2,
    },
    { of, what: "working ÷ asleep", ...ratio(busy.dump, idle.dump), atMost: 5 },
    ...(snapshot === undefined ? [] : [snapshotBar(of, snapshot)]),
  ];
}

/** One that was not done in time was still longer than that. */
function snapshotBar(of: string, { command, snapshot }: Snapshot): Bar {
  const share = snapshot ? ratio(command, snapshot) : { reached: command.wall / SNAPSHOT_LIMIT };
  return { of, what: "holdfast dump ÷ heap snapshot", ...share, atMost: 0.1 };
}

export function barOfStart({ dump, bare }: Start): Bar {
  return { of: "cold start", what: "÷ node -e 0", ...ratio(dump, bare), atMost: 5 };
}
