import type { RefusalCode } from "../inspect/index.ts";

/** How the command line ends where nothing is wrong with the process looked at, or where `last` has nothing to tell. */
export const OK = 0;
/** Something that must not happen: a defect of holdfast. */
export const DEFECT = 1;
export const WRONG_ARGUMENTS = 2;

/** How it ends where a process cannot be read. Promises, as the codes of errors are: scripts ask for them. */
export const refusals: Readonly<Record<RefusalCode, number>> = {
  HF_NO_SUCH_PROCESS: 3,
  HF_NOT_ALLOWED: 4,
  HF_NOT_NODE: 5,
  HF_UNKNOWN_V8: 6,
  HF_LAYOUT_MISMATCH: 7,
  HF_UNSUPPORTED_PLATFORM: 8,
  HF_PROCESS_GONE: 9,
  HF_CANNOT_STOP: 10,
};

/** How `check` ends where something is wrong with the process. */
export const FOUND = 19;

/** How `run` ends where the command could not be started, as env(1) and shells do. */
export const COMMAND_NOT_RUN = 126;
export const COMMAND_NOT_FOUND = 127;

/** How it ends where a process cannot be asked, or does not do what it was asked. */
export const failures = {
  HF_NO_SUCH_PROCESS: refusals.HF_NO_SUCH_PROCESS,
  /** The process says what is wrong with the question. */
  HF_BAD_REQUEST: WRONG_ARGUMENTS,
  /** It runs, but nobody in it answers: no `main()`, or `agent: false`. */
  HF_NO_AGENT: 11,
  /** Its event loop is blocked, or it ended meanwhile. */
  HF_NO_ANSWER: 12,
  HF_NO_TASK: 13,
  HF_TASK_ENDED: 14,
  /** What was asked for by name is there several times. */
  HF_AMBIGUOUS: 15,
  /** The folder of the sockets can be reached by other users. */
  HF_FOLDER_REFUSED: 16,
  /** The process runs another version of holdfast, which cannot be asked this. */
  HF_NO_ROUTE: 17,
  /** It was cancelled, and given up: it did not stop within its grace. */
  HF_TASK_ABANDONED: 18,
  /** Its Node cannot be told to collect garbage. */
  HF_NO_GC: 20,
  HF_JOB_UNKNOWN: 21,
  /** The job is not in a state in which that can be done to it. */
  HF_JOB_STATE: 22,
  /** The store of jobs, in turn: is not there, is another one's, is damaged, may not be written, is held, is full. */
  HF_ENGINE_UNAVAILABLE: 23,
  HF_ENGINE_SCHEMA: 24,
  HF_ENGINE_CORRUPT: 25,
  HF_ENGINE_READONLY: 26,
  HF_ENGINE_BUSY: 27,
  HF_ENGINE_FULL: 28,
  HF_ENGINE_UNSURE: 29,
  HF_ENGINE_FAILED: 30,
} as const;

/** Of an error that has such a code: how the command line ends; of others undefined. */
export function exitCodeOf(error: unknown): number | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? { ...refusals, ...failures }[code as keyof typeof failures] : undefined;
}

/** The exit codes of some verbs, for their help. */
export function exitCodesText(
  ok: string,
  codes: readonly (keyof typeof failures)[],
  others: readonly (readonly [exit: number, why: string])[] = [],
): string {
  const rows: (readonly [number, string])[] = [
    [OK, ok],
    [DEFECT, "a defect of holdfast"],
    [WRONG_ARGUMENTS, "wrong arguments"],
    ...codes.map((code) => [failures[code], code] as const),
    ...others,
  ];
  const sorted = rows.toSorted(([a], [b]) => a - b);
  return `\nExit codes:\n${sorted.map(([code, text]) => `${String(code).padStart(3)}  ${text}`).join("\n")}\n`;
}
