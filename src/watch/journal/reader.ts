import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { given } from "../../core/given.ts";
import { toHeader } from "./format.ts";
import type { JournalFailure, JournalTask } from "./format.ts";
import { ARCHIVE, journalFolders, refusalOf } from "./folder.ts";
import { fateOf, ownIdentity } from "./identity.ts";
import { fromFileName, toProgram } from "./names.ts";
import { replay } from "./replay.ts";
import type { Story } from "./replay.ts";

/** A process that has died, or ended with tasks that would not, and what ran in it. Times are ms since the epoch. */
export interface DeadProcess {
  /** That of the program. */
  readonly name: string;
  readonly pid: number;
  readonly startedAt: number;
  /** The last time that it wrote into its journal: it died after that, and most often within a second. */
  readonly lastSweepAt: number;
  /** The version of Node. */
  readonly node: string;
  /** The name of the machine, or of the container. */
  readonly host: string;
  /** What ran at the last sweep, in the order in which it was spawned. */
  readonly running: readonly JournalTask[];
  /** How many ran besides, for which the journal had no room. */
  readonly unlisted: number;
  /** What nobody caught or handled, where it was run with `holdfast/register`; the newest last. */
  readonly failures: readonly JournalFailure[];
  /** It did come to its end, but its tasks had not come to theirs, or something had failed unheard. */
  readonly hasEnded: boolean;
  /** Where it ended and that is known. */
  readonly exitCode?: number;
  /** The journal's last line was cut off, as it is when the process is killed in the middle of writing it. */
  readonly isTorn: boolean;
  /** Whether it was reported before. */
  readonly isArchived: boolean;
  /** Its journal. */
  readonly file: string;
}

/** Which journals to read. */
export interface ReadOptions {
  /** @default those of this user */
  readonly folder?: string;
  /** Only of the program of this name. */
  readonly name?: string;
  readonly pid?: number;
  /** Also those that were reported before. @default false */
  readonly archived?: boolean;
}

/** Longer journals are read up to here, in bytes: no such thing was written by us. */
const MAX_READ = 64 << 20;
/** A header is never longer. */
const HEADER_BYTES = 4096;

/**
 * What ran in processes that are gone, the newest first. Changes nothing, and never throws: what cannot be read is no
 * journal of ours.
 */
export function readJournals(options: ReadOptions = {}): DeadProcess[] {
  const found = new Map<string, DeadProcess>();
  for (const folder of options.folder === undefined ? journalFolders() : [options.folder]) {
    // The archive comes last: one that is archived meanwhile is read twice, and not missed.
    for (const dead of readFolder(folder, false, options)) found.set(basename(dead.file), dead);
    if (options.archived === true)
      for (const dead of readFolder(join(folder, ARCHIVE), true, options))
        found.set(basename(dead.file), dead);
  }
  return [...found.values()].toSorted((a, b) => b.lastSweepAt - a.lastSweepAt);
}

function* readFolder(
  folder: string,
  isArchived: boolean,
  { name, pid }: ReadOptions,
): Generator<DeadProcess> {
  const own = isArchived ? undefined : ownIdentity();
  for (const { file, program, pid: namedPid } of journalsIn(folder)) {
    if (pid !== undefined && pid !== namedPid) continue;
    if (name !== undefined && program !== toProgram(name)) continue;
    const story = storyOf(file, (header, writtenAt) => {
      if (name !== undefined && header.name !== name) return false;
      return own === undefined || fateOf(header, writtenAt, own) === "gone";
    });
    if (story !== undefined && story.end !== "clean") yield toDead(story, file, isArchived);
  }
}

/** The journals in a folder; none where it is not there, or not ours. */
export function journalsIn(folder: string): { file: string; program: string; pid: number }[] {
  return entriesOf(folder).flatMap((entry) => {
    const named = fromFileName(entry);
    return named === undefined ? [] : [{ file: join(folder, entry), ...named }];
  });
}

export function entriesOf(folder: string): string[] {
  try {
    return refusalOf(folder) === undefined ? readdirSync(folder) : [];
  } catch {
    // Nothing was ever written there.
    return [];
  }
}

/** Reads a journal, where its header is wanted: those of processes that live are not read whole. */
function storyOf(
  file: string,
  isWanted: (header: Story["header"], writtenAt: number) => boolean,
): Story | undefined {
  try {
    const fd = openSync(file, "r");
    try {
      const { size, mtimeMs } = fstatSync(fd);
      const start = readBytes(fd, 0, Math.min(size, HEADER_BYTES));
      const header = toHeader(start.toString("utf8").split("\n")[0] ?? "");
      if (header === undefined || !isWanted(header, mtimeMs)) return undefined;
      return replay(Buffer.concat([start, readBytes(fd, start.length, Math.min(size, MAX_READ))]));
    } finally {
      closeSync(fd);
    }
  } catch {
    // Somebody else has archived it, or it is not ours to read.
    return undefined;
  }
}

/** What a file has from one place to another, or to its end. */
function readBytes(fd: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  let length = 0;
  while (length < bytes.length) {
    const more = readSync(fd, bytes, length, bytes.length - length, from + length);
    if (more === 0) break;
    length += more;
  }
  return bytes.subarray(0, length);
}

function toDead(story: Story, file: string, isArchived: boolean): DeadProcess {
  const { header, lastSweepAt, running, unlisted, failures, end, exitCode, isTorn } = story;
  const { name, pid, startedAt, node, host } = header;
  const own = { name, pid, startedAt, lastSweepAt, node, host, running, unlisted, failures };
  return given({ ...own, hasEnded: end !== undefined, exitCode, isTorn, isArchived, file });
}
