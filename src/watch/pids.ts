import { readFileSync } from "node:fs";

/** What the kernel says of a process (proc_pid_stat(5)). */
export interface Start {
  /** `Z`, `X`: has ended. */
  readonly state: string;
  /** When it started, in ticks since the machine did. */
  readonly ticks: number;
}

/** Undefined where there is no `/proc`, or it may not be read; `none` where there is no such process. */
export function startOf(pid: "self"): Start | undefined;
export function startOf(pid: number | "self"): Start | "none" | undefined;
export function startOf(pid: number | "self"): Start | "none" | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return textOf("/proc/self/stat") === undefined ? undefined : "none";
  // The second field is the name, in brackets, and may hold anything.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", ticks: Number(fields[19]) };
}

/** What stands in a file of the kernel's; undefined where it is not there, or not ours to read. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    // What it would tell is not known.
    return undefined;
  }
}

/** Whether a process has this pid, of whomever. */
export function hasPid(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not allowed to send it a signal: so it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
