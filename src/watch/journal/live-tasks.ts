import { given } from "../../core/given.ts";
import type { Progress } from "../../core/info.ts";
import type { TaskState } from "../../core/words.ts";
import { cut, MAX_PATH, MAX_TEXT, toChangeRow, toTaskRow } from "./format.ts";
import type { ChangeRow, Flush, JournalTask, RowParts, TaskRow } from "./format.ts";

/** What can change of a task. */
export interface Change {
  readonly attempt?: number;
  readonly startedAt?: number;
  readonly progress?: Progress;
}

interface Path {
  readonly text: string;
  readonly bytes: number;
  /** Its number in the file; -1 while it is not in it. */
  number: number;
  /** How many of the tasks that are listed have it. */
  uses: number;
}

interface Entry extends RowParts {
  readonly path: Path;
  attempt: number;
  startedAt: number | undefined;
  progress: Progress | undefined;
  /** At most so many bytes are its row, and its changes. */
  bytes: number;
}

/** What the numbers of a task take at most, and the signs between them, in bytes. */
const NUMBERS = 144;

/**
 * The tasks that the journal lists: as many as have room, whatever they may still come to say of themselves. Of the
 * others it knows how many there are. Beside them, what of all that is not in the file yet.
 */
export class LiveTasks {
  readonly #room: number;
  readonly #entries = new Map<number, Entry>();
  readonly #paths = new Map<string, Path>();
  #pathsInFile = 0;
  /** What the tasks that are listed take in a file that holds nothing else, at most. */
  #bytes = 0;
  #unlisted = 0;
  #isUnlistedNews = false;
  readonly #begun = new Set<Entry>();
  readonly #changed = new Set<Entry>();
  #ended = new Map<TaskState, number[]>();

  /** Takes tasks in until they need so many bytes. */
  constructor(room: number) {
    this.#room = room;
  }

  begin(task: JournalTask): void {
    // Announced twice, it must not be counted twice.
    if (this.#entries.has(task.id)) return this.change(task.id, task);
    const path = this.#pathOf(cut(task.path, MAX_PATH));
    const key = task.key === undefined ? undefined : cut(task.key, MAX_TEXT);
    const progress = toStored(task.progress);
    const bytes = NUMBERS + bytesOf(key) + bytesOf(progress?.note);
    const more = bytes + (path.uses === 0 ? path.bytes : 0);
    if (this.#bytes + more > this.#room) {
      this.#unlisted++;
      this.#isUnlistedNews = true;
      return;
    }
    this.#bytes += more;
    path.uses++;
    this.#paths.set(path.text, path);
    const { id, createdAt, attempt, startedAt } = task;
    const entry = { id, path, createdAt, attempt, startedAt, key, progress, bytes };
    this.#entries.set(id, entry);
    this.#begun.add(entry);
  }

  #pathOf(text: string): Path {
    return this.#paths.get(text) ?? { text, bytes: bytesOf(text), number: -1, uses: 0 };
  }

  change(id: number, { attempt, startedAt, progress }: Change): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.attempt = attempt ?? entry.attempt;
    entry.startedAt = startedAt ?? entry.startedAt;
    if (progress !== undefined) this.#setProgress(entry, toStored(progress));
    if (!this.#begun.has(entry)) this.#changed.add(entry);
  }

  /** Without its note, where there is no room for that. */
  #setProgress(entry: Entry, progress: Progress | undefined): void {
    const before = bytesOf(entry.progress?.note);
    const isTooLong = this.#bytes + bytesOf(progress?.note) - before > this.#room;
    entry.progress = isTooLong && progress !== undefined ? given({ ...progress, note: undefined }) : progress;
    const more = bytesOf(entry.progress?.note) - before;
    entry.bytes += more;
    this.#bytes += more;
  }

  end(id: number, state: TaskState): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) {
      if (this.#unlisted === 0) return;
      this.#unlisted--;
      this.#isUnlistedNews = true;
      return;
    }
    this.#entries.delete(id);
    this.#bytes -= entry.bytes;
    if (--entry.path.uses === 0) {
      this.#bytes -= entry.path.bytes;
      // One that stands in the file keeps its number there, until the file is written anew.
      if (entry.path.number < 0) this.#paths.delete(entry.path.text);
    }
    this.#changed.delete(entry);
    // What the file never heard of needs no end in it.
    if (this.#begun.delete(entry)) return;
    const ids = this.#ended.get(state);
    if (ids === undefined) this.#ended.set(state, [id]);
    else ids.push(id);
  }

  /** What is not in the file yet, for a flush at `at` (ms since the epoch); from now on it counts as being in it. */
  news(at: number): Omit<Flush, "t"> {
    const paths: string[] = [];
    const begun = this.#rows(this.#begun, at, paths);
    const changed = Array.from(this.#changed, (entry): ChangeRow => toChangeRow(entry, at));
    const ended = Object.fromEntries(this.#ended);
    const unlisted = this.#isUnlistedNews ? this.#unlisted : undefined;
    this.#forget();
    return {
      ...(paths.length > 0 && { p: paths }),
      ...(begun.length > 0 && { b: begun }),
      ...(changed.length > 0 && { c: changed }),
      ...(Object.keys(ended).length > 0 && { e: ended }),
      ...(unlisted !== undefined && { u: unlisted }),
    };
  }

  /** All of it, for a file that is written anew. */
  whole(at: number): Omit<Flush, "t"> {
    this.#pathsInFile = 0;
    for (const path of this.#paths.values()) {
      if (path.uses === 0) this.#paths.delete(path.text);
      path.number = -1;
    }
    const paths: string[] = [];
    const rows = this.#rows(this.#entries.values(), at, paths);
    this.#forget();
    return {
      ...(rows.length > 0 && { p: paths, b: rows }),
      ...(this.#unlisted > 0 && { u: this.#unlisted }),
    };
  }

  /** Adds the paths that the file does not have to `paths`. */
  #rows(entries: Iterable<Entry>, at: number, paths: string[]): TaskRow[] {
    const rows: TaskRow[] = [];
    for (const entry of entries) {
      const { path } = entry;
      if (path.number < 0) {
        path.number = this.#pathsInFile++;
        paths.push(path.text);
      }
      rows.push(toTaskRow(entry, path.number, at));
    }
    return rows;
  }

  #forget(): void {
    this.#begun.clear();
    this.#changed.clear();
    this.#ended = new Map();
    this.#isUnlistedNews = false;
  }
}

/** What JSON can hold of it, and what is worth holding. */
function toStored(progress: Progress | undefined): Progress | undefined {
  if (progress === undefined || !Number.isFinite(progress.done)) return undefined;
  const { done, total, note, at } = progress;
  if (note === undefined && (total === undefined || Number.isFinite(total))) return progress;
  return given({
    done,
    total: total !== undefined && Number.isFinite(total) ? total : undefined,
    note: note === undefined ? undefined : cut(note, MAX_TEXT),
    at,
  });
}

/** In JSON, with what stands around it. */
function bytesOf(text: string | undefined): number {
  return text === undefined ? 0 : Buffer.byteLength(JSON.stringify(text)) + 1;
}
