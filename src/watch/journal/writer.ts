import { randomBytes } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { wall } from "../../core/clock.ts";
import { given } from "../../core/given.ts";
import type { TaskState } from "../../core/words.ts";
import { cut, MAX_TEXT, toLine } from "./format.ts";
import type { FailureRow, Flush, Header, JournalFailure, JournalTask } from "./format.ts";
import { Failures } from "./failures.ts";
import { journalFolders, makeFolder } from "./folder.ts";
import { ownIdentity } from "./identity.ts";
import { LiveTasks } from "./live-tasks.ts";
import type { Change } from "./live-tasks.ts";
import { toFileName, UNFINISHED } from "./names.ts";

export type { JournalTask } from "./format.ts";

/** Where a journal is written, and of what. */
export interface JournalOptions {
  /** That of the program. */
  readonly name: string;
  /** @default the user's folder for state, see docs/crash-journal.md */
  readonly folder?: string;
  /** The file never grows longer, in bytes. @default 1 MB */
  readonly maxBytes?: number;
}

/**
 * The record of what runs in this process, in a file, for whoever wants to know it after the process has died. What is
 * told to it is kept until the next flush; no method throws.
 */
export interface Journal {
  /** A task lives. */
  began(task: JournalTask): void;
  changed(id: number, change: Change): void;
  /** One that was told of has ended. */
  ended(id: number, state: TaskState): void;
  /** Nobody caught an error, or handled a rejection. */
  failed(origin: JournalFailure["origin"], error: unknown): void;
  /** What it was told of such, the newest last; at most 20 different ones. */
  readonly failures: readonly JournalFailure[];
  /** Writes all that is new, by one write; where there is nothing, that the process lives. */
  flush(): void;
  /** The process ends: in order (nothing will be reported), or not so. What comes later is not written. */
  close(isClean: boolean, exitCode?: number): void;
}

const MAX_BYTES = 1 << 20;
/** Less holds no journal. */
const MIN_BYTES = 4096;
/** Of the file, so much is for what lives: the rest is how much can be written until the file has to be made anew. */
const SHARE = 0.75;

/** Begins the journal of this process. Where it cannot be written there is one warning, and a journal that does nothing. */
export function openJournal({ name, folder, maxBytes = MAX_BYTES }: JournalOptions): Journal {
  const reasons: string[] = [];
  for (const place of folder === undefined ? journalFolders() : [folder]) {
    try {
      return new FileJournal(name, place, Math.max(MIN_BYTES, maxBytes));
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  warn(reasons.join("; "));
  return NONE;
}

class FileJournal implements Journal {
  readonly #folder: string;
  readonly #file: string;
  readonly #header: Header;
  readonly #maxBytes: number;
  readonly #tasks: LiveTasks;
  readonly #failures = new Failures();
  /** Undefined where the file has to be written anew, as the last write failed. */
  #fd: number | undefined;
  #size = 0;
  #isClosed = false;
  #hasWarned = false;

  /** Throws where it cannot be written. */
  constructor(name: string, folder: string, maxBytes: number) {
    const at = Math.round(wall());
    this.#header = {
      holdfast: "journal",
      v: 1,
      name: cut(name, MAX_TEXT),
      startedAt: Math.round(at - process.uptime() * 1000),
      node: process.versions.node,
      ...ownIdentity(),
    };
    this.#folder = folder;
    this.#file = join(folder, toFileName(name, process.pid, randomBytes(4).toString("hex")));
    this.#maxBytes = maxBytes;
    this.#tasks = new LiveTasks(SHARE * maxBytes - Buffer.byteLength(toLine(this.#header)));
    this.#rewrite({});
  }

  began(task: JournalTask): void {
    if (!this.#isClosed) this.#tasks.begin(task);
  }

  changed(id: number, change: Change): void {
    if (!this.#isClosed) this.#tasks.change(id, change);
  }

  ended(id: number, state: TaskState): void {
    if (!this.#isClosed) this.#tasks.end(id, state);
  }

  failed(origin: JournalFailure["origin"], error: unknown): void {
    if (!this.#isClosed) this.#failures.add(origin, error, wall());
  }

  get failures(): readonly JournalFailure[] {
    return this.#failures.list;
  }

  flush(): void {
    if (!this.#isClosed) this.#write({});
  }

  close(isClean: boolean, exitCode?: number): void {
    if (this.#isClosed) return;
    this.#write(given({ end: isClean ? ("clean" as const) : ("unclean" as const), x: exitCode }));
    this.#isClosed = true;
    this.#drop();
    if (isClean) remove(this.#file);
  }

  #write(end: End): void {
    try {
      if (!this.#append(end)) this.#rewrite(end);
    } catch (error) {
      // A full disk, most of the time, and perhaps not for ever. The file may end in half a line now: the next flush
      // writes it anew, with all that lives.
      this.#drop();
      if (!this.#hasWarned) warn(messageOf(error));
      this.#hasWarned = true;
    }
  }

  /** False where it has to be written anew: it would become too long, or the last write failed. */
  #append(end: End): boolean {
    if (this.#fd === undefined) return false;
    const at = wall();
    const line = Buffer.from(
      this.#lineOf(at, { ...this.#tasks.news(at), ...listed(this.#failures.news(at)), ...end }),
    );
    if (this.#size + line.length > this.#maxBytes) return false;
    writeAll(this.#fd, line);
    this.#size += line.length;
    return true;
  }

  /** A new file with what lives, in place of the one that was: at every moment one of them is there, whole. */
  #rewrite(end: End): void {
    makeFolder(this.#folder);
    const at = wall();
    const whole = { ...this.#tasks.whole(at), ...listed(this.#failures.whole(at)), ...end };
    const bytes = Buffer.from(toLine(this.#header) + this.#lineOf(at, whole));
    const unfinished = this.#file + UNFINISHED;
    const fd = openSync(unfinished, "w", 0o600);
    try {
      writeAll(fd, bytes);
      // Before the other takes its name: Windows does not replace a file that is open.
      this.#drop();
      renameSync(unfinished, this.#file);
    } catch (error) {
      closeSync(fd);
      remove(unfinished);
      throw error;
    }
    this.#fd = fd;
    this.#size = bytes.length;
  }

  #lineOf(at: number, content: Omit<Flush, "t">): string {
    return toLine({ t: Math.round(at - this.#header.startedAt), ...content });
  }

  #drop(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    try {
      if (fd !== undefined) closeSync(fd);
    } catch {
      // The disk says only now that it could not write: what it has is read all the same.
    }
  }
}

/** What the last line has. */
type End = Pick<Flush, "end" | "x">;

function listed(rows: readonly FailureRow[]): Pick<Flush, "f"> {
  return rows.length === 0 ? {} : { f: rows };
}

/** What a program gets that cannot have one. */
const NONE: Journal = {
  began: () => undefined,
  changed: () => undefined,
  ended: () => undefined,
  failed: () => undefined,
  failures: [],
  flush: () => undefined,
  close: () => undefined,
};

/** The system may take less than it was given. */
function writeAll(fd: number, bytes: Buffer): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(writeSync(fd, rest));
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // What is left of it says of itself that it is over, or is swept away by a later start.
  }
}

function warn(why: string): void {
  process.emitWarning(`what runs is not recorded, so that nobody can tell it after a crash: ${why}`, {
    type: "HoldfastWarning",
    code: "HF_NO_JOURNAL",
    detail: "Everything else works. The journal's folder has to be one that this user can write.",
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
