import { EngineError, type EngineErrorCode, JobKeyConflictError } from "../errors.ts";

/** SQLite's primary result codes that say something to people. */
const BUSY = 5;
const LOCKED = 6;
const codes: Readonly<Record<number, readonly [EngineErrorCode, string]>> = {
  3: ["HF_ENGINE_UNAVAILABLE", "no rights to the file or its folder"],
  [BUSY]: ["HF_ENGINE_BUSY", "another process held the file for too long"],
  [LOCKED]: ["HF_ENGINE_BUSY", "another connection held a table for too long"],
  8: [
    "HF_ENGINE_READONLY",
    "the file cannot be written: look at its rights, those of its folder, and how the disk is mounted",
  ],
  10: ["HF_ENGINE_FAILED", "the disk could not be read or written"],
  11: [
    "HF_ENGINE_CORRUPT",
    "the file is damaged: stop all that use it, keep a copy of it with its -wal, and restore a backup",
  ],
  13: [
    "HF_ENGINE_FULL",
    "no room: the disk is full, or `maxPages` is reached. What was asked for is not stored; it works again once there is room",
  ],
  14: [
    "HF_ENGINE_UNAVAILABLE",
    "the file cannot be opened: does its folder exist, and may this process write there?",
  ],
  23: ["HF_ENGINE_UNAVAILABLE", "no rights to the file or its folder"],
  26: ["HF_ENGINE_CORRUPT", "the file is no SQLite database"],
};

/** The primary result code of what Node's SQLite threw; undefined where it threw something else. */
function resultCode(error: unknown): number | undefined {
  const errcode = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Another holds the lock: it is worth to ask again. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** What users get for what was thrown: an `EngineError` that says what to do, with what was thrown as its cause. */
export function toEngineError(engine: string, error: unknown): Error {
  if (error instanceof EngineError || error instanceof JobKeyConflictError) return error;
  const [code, words] = codes[resultCode(error) ?? -1] ?? [
    "HF_ENGINE_FAILED" as const,
    error instanceof Error ? error.message : String(error),
  ];
  return new EngineError(code, engine, words, error);
}
