/** Why a process cannot be read. Each has an exit code of its own in docs/dump.md. */
export type RefusalCode =
  | "HF_NO_SUCH_PROCESS" /* nothing runs under this pid, or it is a thread's */
  | "HF_NOT_ALLOWED" /* another user's, or a setting of the machine forbids it */
  | "HF_NOT_NODE" /* no V8 in its executable, nor in a library of it */
  | "HF_UNKNOWN_V8" /* a V8 whose layout is not in the table */
  | "HF_LAYOUT_MISMATCH" /* the table says one thing, the process's memory another */
  | "HF_UNSUPPORTED_PLATFORM" /* no reader for this operating system or architecture */
  | "HF_CANNOT_STOP" /* it was to be stopped while it is read, and does not stop */
  | "HF_PROCESS_GONE"; /* it ended, or became another program, while it was read */

/**
 * A process that cannot be read, or not for sure. Thrown by `dump()`; nothing was changed in the process. The message
 * says what to do.
 */
export class InspectError extends Error {
  override readonly name = "InspectError";
  readonly code: RefusalCode;
  constructor(code: RefusalCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The code of a system error: `ENOENT`, `EACCES`, … */
export function systemCode(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** What a file in `/proc/PID` answers once that process has ended. */
export function saysGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ESRCH";
}
