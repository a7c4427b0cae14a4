import { readFileSync } from "node:fs";
import { InspectError, saysGone } from "./errors.ts";

/** What the kernel says of a process to everybody (proc_pid_status(5)). */
export interface ProcessStatus {
  /** `R`, `S`, `D`: runs or sleeps; `T`, `t`: stopped, by a signal or by a debugger; `Z`, `X`: has ended. */
  readonly state: string;
  /** The process that a thread belongs to. */
  readonly owner: number;
  /** Of whom its files in `/proc` may be read. */
  readonly user: number;
  /** A thread of the kernel, or a process whose memory is gone, has none. */
  readonly hasMemory: boolean;
}

/** Throws `InspectError` (`HF_NO_SUCH_PROCESS`). */
export function statusOf(pid: number | "self"): ProcessStatus {
  const text = readStatus(pid);
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(text)?.[1] ?? "";
  return {
    state: field("State"),
    owner: Number(field("Tgid")),
    user: Number(field("Uid")),
    hasMemory: field("VmSize") !== "",
  };
}

function readStatus(pid: number | "self"): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1");
  } catch (cause) {
    if (saysGone(cause))
      throw new InspectError("HF_NO_SUCH_PROCESS", `no process has the pid ${pid}`, { cause });
    throw cause;
  }
}

/** Whether every thread has stopped: one that is deep in the kernel comes later than its process. */
export function isStopped({ state }: ProcessStatus): boolean {
  return state === "T" || state === "t";
}

/** Throws `InspectError` for what is no process with a memory of its own. */
export function refuseWhatIsNone(pid: number, { state, owner, hasMemory }: ProcessStatus): void {
  // A thread's id opens the same files as its process's: but people mean the process.
  if (owner !== pid)
    throw new InspectError("HF_NO_SUCH_PROCESS", `${pid} is a thread of process ${owner}: ask for that one`);
  if (state === "Z" || state === "X")
    throw new InspectError(
      "HF_PROCESS_GONE",
      `process ${pid} has ended; all that is left of it is its exit code, for its parent (a zombie)`,
    );
  if (!hasMemory)
    throw new InspectError("HF_NOT_NODE", `${pid} is a thread of the kernel: there is no program in it`);
}
