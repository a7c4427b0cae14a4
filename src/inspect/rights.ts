import { readFileSync, readlinkSync, statSync } from "node:fs";
import { InspectError, systemCode } from "./errors.ts";
import type { ProcessStatus } from "./process-status.ts";

/** The bit of CAP_SYS_PTRACE in `CapEff` (capabilities(7)). */
const SYS_PTRACE = 1n << 19n;
const YAMA = "/proc/sys/kernel/yama/ptrace_scope";

/** What each value of Yama's setting means, and what helps (Documentation/admin-guide/LSM/Yama.rst). */
const SCOPES: Readonly<Record<string, string>> = {
  "1": "only its own ancestors may read it; set that to 0 (sysctl kernel.yama.ptrace_scope=0), or run this as root",
  "2": "only a process with CAP_SYS_PTRACE may read it; run this as root",
  "3": "nobody may read another process until the machine is started anew without that",
};

/** A refusal that says which rule forbids to read a process, and what to do. */
export function notAllowed(pid: number | "self", status: ProcessStatus, cause: unknown): InspectError {
  const program = programOf(pid, cause);
  if (program !== undefined)
    return new InspectError(
      "HF_NOT_ALLOWED",
      `the executable of process ${pid}, ${program}, may not be read by this user, though the process may be: let this ` +
        "user read it (chmod +r), or run this as root",
      { cause },
    );
  return new InspectError(
    "HF_NOT_ALLOWED",
    `the memory of process ${pid} may not be read (${systemCode(cause) ?? "unknown"}): ${why(pid, status)}`,
    { cause },
  );
}

/** The executable, where it is that which may not be opened: a program may be run by those who may not read it. */
function programOf(pid: number | "self", cause: unknown): string | undefined {
  const exe = `/proc/${pid}/exe`;
  if ((cause as NodeJS.ErrnoException).path !== exe) return undefined;
  try {
    return readlinkSync(exe);
  } catch (error) {
    // The process itself may not be looked at: then that is the reason.
    if (systemCode(error) !== "EACCES" && systemCode(error) !== "EPERM") throw error;
    return undefined;
  }
}

/** The rules in the order in which the kernel asks them (`__ptrace_may_access`, then the security modules). */
function why(pid: number | "self", { user }: ProcessStatus): string {
  const own = process.geteuid?.() ?? -1;
  if (own === 0 && !mayTrace())
    return "this runs as root, but without CAP_SYS_PTRACE; in a container, add that (docker run --cap-add SYS_PTRACE)";
  if (own !== 0 && user !== own)
    return `it belongs to user ${user}, and this runs as user ${own}; run this as user ${user}, or as root`;
  // The files of a process that may not be dumped belong to root, whoever it runs as (proc(5)).
  if (own !== 0 && statSync(`/proc/${pid}/mem`).uid !== user)
    return (
      "it is not dumpable: it has taken on other rights (setuid, file capabilities), its executable may not be read, " +
      "or it has asked for it (prctl PR_SET_DUMPABLE); run this as root"
    );
  const scope = yamaScope();
  const rule = SCOPES[scope ?? ""];
  if (rule !== undefined) return `${YAMA} is ${scope}: ${rule}`;
  return (
    "its user is right, and so is " +
    (scope === undefined ? "everything that can be asked" : `${YAMA} (${scope})`) +
    ": a security module of this machine, or a user namespace of the process's own, forbids it" +
    (own === 0 ? "" : "; run this as root")
  );
}

function mayTrace(): boolean {
  const capabilities = /^CapEff:\s*([\da-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return (BigInt(`0x${capabilities ?? "0"}`) & SYS_PTRACE) !== 0n;
}

function yamaScope(): string | undefined {
  try {
    return readFileSync(YAMA, "latin1").trim();
  } catch (error) {
    // A kernel without Yama has no such file: then it forbids nothing.
    if (systemCode(error) !== "ENOENT") throw error;
    return undefined;
  }
}
