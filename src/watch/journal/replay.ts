import { given } from "../../core/given.ts";
import { fromChangeRow, fromFailureRow, fromTaskRow, MAX_FAILURES, toFlush, toHeader } from "./format.ts";
import type { Header, JournalFailure, JournalTask, RawFlush } from "./format.ts";

/** What a journal tells: the state at its last whole flush. */
export interface Story {
  readonly header: Header;
  /** When that flush was, in ms since the epoch. */
  readonly lastSweepAt: number;
  /** In the order in which they began. */
  readonly running: readonly JournalTask[];
  /** How many ran that had no room in the journal. */
  readonly unlisted: number;
  /** What nobody caught or handled, in the order in which it came last. */
  readonly failures: readonly JournalFailure[];
  /** How the process said that it ended; absent where it did not come to that. */
  readonly end?: "clean" | "unclean";
  readonly exitCode?: number;
  /** Whether something stands after the last whole flush: one that was cut off. */
  readonly isTorn: boolean;
}

/** Reads a journal that may end anywhere. Undefined where not even its first line is one. Never throws. */
export function replay(bytes: Uint8Array): Story | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  const lines = text.split("\n");
  // What stands after the last line's end: nothing, where nothing was cut off.
  const rest = lines.pop();
  const header = toHeader(lines[0] ?? "");
  if (header === undefined) return undefined;
  const state = new State(header.startedAt);
  let isTorn = rest !== "";
  for (const line of lines.slice(1)) {
    const flush = toFlush(line);
    // After a line that cannot be read nothing is known: what stood in it may be what ended.
    if (flush === undefined || !state.apply(flush)) {
      isTorn = true;
      break;
    }
  }
  const { lastSweepAt, unlisted, end, exitCode } = state;
  const failures = [...state.failures.values()].toSorted((a, b) => a.lastAt - b.lastAt).slice(-MAX_FAILURES);
  const running = [...state.tasks.values()].toSorted((a, b) => a.id - b.id);
  return given({ header, lastSweepAt, running, unlisted, failures, end, exitCode, isTorn });
}

class State {
  readonly #startedAt: number;
  readonly #paths: string[] = [];
  readonly tasks = new Map<number, JournalTask>();
  readonly failures = new Map<string, JournalFailure>();
  lastSweepAt: number;
  unlisted = 0;
  end: "clean" | "unclean" | undefined;
  exitCode: number | undefined;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
    this.lastSweepAt = startedAt;
  }

  /** All of it, or where something in it cannot be read, nothing: that is false then. */
  apply({ t, p, b, c, e, u, f, end, x }: RawFlush): boolean {
    const at = this.#startedAt + t;
    const paths = listOf(p);
    if (!paths.every((path): path is string => typeof path === "string")) return false;
    const known = [...this.#paths, ...paths];
    const begun = listOf(b).map((row) => fromTaskRow(row, known, at));
    const changed = listOf(c).map((row) => fromChangeRow(row, at));
    const failed = listOf(f).map((row) => fromFailureRow(row, at));
    if (!areAll(begun) || !areAll(changed) || !areAll(failed)) return false;
    const ended = typeof e === "object" && e !== null ? Object.values(e).flatMap(listOf) : [];

    this.#paths.push(...paths);
    for (const id of ended) this.tasks.delete(id as number);
    for (const task of begun) this.tasks.set(task.id, task);
    for (const change of changed) this.#change(change);
    if (typeof u === "number") this.unlisted = u;
    for (const failure of failed) {
      const id = `${failure.origin} ${failure.text}`;
      // Taken out and put in: the order is that of the last time.
      this.failures.delete(id);
      this.failures.set(id, failure);
    }
    if (end === "clean" || end === "unclean") this.end = end;
    if (typeof x === "number") this.exitCode = x;
    this.lastSweepAt = at;
    return true;
  }

  #change(change: Pick<JournalTask, "id" | "attempt" | "startedAt" | "progress">): void {
    const before = this.tasks.get(change.id);
    if (before === undefined) return;
    const { startedAt: _, progress: __, ...kept } = before;
    this.tasks.set(change.id, { ...kept, ...change });
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function areAll<T>(rows: readonly (T | undefined)[]): rows is readonly T[] {
  return rows.every((row) => row !== undefined);
}
