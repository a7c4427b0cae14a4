import { renameSync, rmSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import { wall } from "../../core/clock.ts";
import { ARCHIVE, journalFolders, makeFolder } from "./folder.ts";
import { isUnfinished } from "./names.ts";
import { entriesOf, journalsIn, readJournals } from "./reader.ts";
import type { DeadProcess } from "./reader.ts";

/** So many of each program are kept… */
const MAX_KEPT = 20;
/** …and of all together so many bytes. */
const MAX_BYTES = 32 << 20;
/** So many wait to be reported by programs that have not started again, whatever their age. */
const MAX_WAITING = 100;
/** A process that has not written for so long, in ms, has no right to its journal among so many. */
const LONG = 3_600_000;
/** A file is written in much less than this, in ms. */
const WRITTEN_WITHIN = 60_000;

/**
 * The dead processes of a program that nobody was told of. Each is given once, to one caller, on this machine and on
 * all that share the folder: whoever gets it has to tell it. Where `fateOf` is unsure of one, a later call gives it:
 * `SILENCE` after the start is a good time for another look. Never throws.
 *
 * @example
 * for (const dead of reportDead("courier")) say(isTerminal() ? toText(dead) : JSON.stringify(toReport(dead)));
 */
export function reportDead(name: string, options: { readonly folder?: string } = {}): readonly DeadProcess[] {
  const claimed = readJournals({ ...options, name }).flatMap((dead) => archive(dead) ?? []);
  for (const folder of options.folder === undefined ? journalFolders() : [options.folder]) prune(folder);
  return claimed;
}

/**
 * Puts a journal away, as told. Undefined where somebody else has done it: of all who try, one succeeds, as one rename
 * does. That comes before the telling: a process that dies in between tells nothing, and `holdfast last` still does.
 */
export function archive(dead: DeadProcess): DeadProcess | undefined {
  const folder = join(dirname(dead.file), ARCHIVE);
  const file = join(folder, basename(dead.file));
  try {
    makeFolder(folder);
    renameSync(dead.file, file);
    return { ...dead, file, isArchived: true };
  } catch {
    // It has been told by another, or it cannot be put away here: then it would be told at every start.
    return undefined;
  }
}

/** Deletes what is too much of a folder's journals, the oldest first. Never throws. */
export function prune(folder: string): void {
  const kept = new Map<string, number>();
  let bytes = 0;
  for (const { file, program, size } of byAge(join(folder, ARCHIVE))) {
    const count = (kept.get(program) ?? 0) + 1;
    kept.set(program, count);
    bytes += size;
    if (count > MAX_KEPT || bytes > MAX_BYTES) remove(file);
  }
  for (const { file, writtenAt } of byAge(folder).slice(MAX_WAITING))
    if (wall() - writtenAt > LONG) remove(file);
  removeUnfinished(folder);
}

interface Aged {
  readonly file: string;
  readonly program: string;
  readonly size: number;
  readonly writtenAt: number;
}

/** The newest first. */
function byAge(folder: string): Aged[] {
  return journalsIn(folder)
    .flatMap(({ file, program }): Aged[] => {
      const stats = statsOf(file);
      return stats === undefined ? [] : [{ file, program, size: stats.size, writtenAt: stats.mtimeMs }];
    })
    .toSorted((a, b) => b.writtenAt - a.writtenAt);
}

function statsOf(file: string): Stats | undefined {
  try {
    return statSync(file);
  } catch {
    // Somebody else was faster.
    return undefined;
  }
}

/** What a process left that was killed while it wrote its journal anew. */
function removeUnfinished(folder: string): void {
  for (const entry of entriesOf(folder)) {
    if (!isUnfinished(entry)) continue;
    const file = join(folder, entry);
    const writtenAt = statsOf(file)?.mtimeMs ?? Infinity;
    if (wall() - writtenAt > WRITTEN_WITHIN) remove(file);
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // Not ours to delete: it stays.
  }
}
