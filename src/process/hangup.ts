import { readFileSync, readlinkSync } from "node:fs";

/**
 * Whether SIGHUP was to be ignored when this process was started: under nohup, or below a shell that ignores it.
 *
 * Node sets every signal that it finds ignored back to its default before any JavaScript runs, so the disposition
 * itself is gone: SIGHUP kills a plain Node program under nohup. What is left are traces, and any of them decides:
 * - the disposition after all, in a Node built as a shared library, which leaves signals alone (Linux);
 * - an ancestor in the same session that ignores SIGHUP, such as a script that was started under nohup (Linux);
 * - standard input that is /dev/null opened for writing only: what GNU nohup puts in place of a terminal (Linux);
 * - `_`, where shells put the path of the command that they start.
 * nohup that was started by another program than a shell, with no terminal, leaves none: name the signals in
 * `main`'s options there. A process whose parent ended in between is not recognised by its ancestors.
 */
export function isHangupIgnored(environment: NodeJS.ProcessEnv = process.env): boolean {
  if (/(^|[\\/])nohup$/.test(environment["_"] ?? "")) return true;
  if (process.platform !== "linux") return false;
  return ignores("self") || hasNohupInput() || hasDeafAncestor();
}

const SIGHUP_BIT = 1n;
/** Chains of wrappers are short; a chain that is not ends somewhere. */
const MAX_ANCESTORS = 32;

function hasDeafAncestor(): boolean {
  const own = statusOf("self");
  let above = statusOf(String(process.ppid));
  for (let hops = 0; hops < MAX_ANCESTORS && above !== undefined && above.session === own?.session; hops++) {
    if (ignores(above.id)) return true;
    above = statusOf(above.parent);
  }
  return false;
}

function ignores(id: string): boolean {
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(read(`/proc/${id}/status`))?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

function statusOf(id: string): { id: string; parent: string; session: string } | undefined {
  // `pid (name) state ppid pgrp session …`, and the name may hold anything.
  const fields = /^(\d+) [^]*\) \S (\d+) \d+ (\d+) /.exec(read(`/proc/${id}/stat`));
  if (fields === null) return undefined;
  const [, own = "", parent = "", session = ""] = fields;
  return { id: own, parent, session };
}

function hasNohupInput(): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(read("/proc/self/fdinfo/0"))?.[1];
  const isWriteOnly = flags !== undefined && (Number.parseInt(flags, 8) & 3) === 1;
  return isWriteOnly && linkOf("/proc/self/fd/0") === "/dev/null";
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed, or not ours to see: no trace.
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // Gone, or not ours to see: no trace.
    return "";
  }
}
