import { readFileSync } from "node:fs";
import { ElfFile } from "./elf.ts";
import { InspectError, saysGone, systemCode } from "./errors.ts";
import { layoutOf } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { mappings } from "./mappings.ts";
import type { Mapping } from "./mappings.ts";
import { ProcessMemory } from "./process-memory.ts";
import { isStopped, refuseWhatIsNone, statusOf } from "./process-status.ts";
import type { ProcessStatus } from "./process-status.ts";
import { notAllowed } from "./rights.ts";

/** A process that can be read. */
export interface Target {
  readonly pid: number | "self";
  readonly memory: ProcessMemory;
  readonly layout: Layout;
  /** `24.1.0`; undefined where the process does not say. */
  readonly node: string | undefined;
  readonly v8: string;
  readonly arch: string;
  /** It had been stopped before anybody looked. */
  readonly wasStopped: boolean;
  /** An address that is mapped for as long as it is this program. */
  readonly landmark: number;
}

/** V8's own version, as its executable exports it: `v8::internal::Version::major_` and so on (src/utils/version.h). */
const VERSION_PARTS = ["6major_E", "6minor_E", "6build_E", "6patch_E"].map(
  (part) => `_ZN2v88internal7Version${part}`,
);
/** `node::per_process::metadata` (src/node_metadata.h): its first field is the version of Node, a std::string. */
const METADATA = "_ZN4node11per_process8metadataE";
/** Pids end here (PID_MAX_LIMIT, include/linux/threads.h). */
const MAX_PID = 2 ** 22;

/**
 * Finds out what a process is, from its executable and its memory: nothing of it is run. Throws `InspectError`.
 * Close its `memory`.
 */
export function openTarget(pid: number | "self"): Target {
  if (process.platform !== "linux")
    throw new InspectError(
      "HF_UNSUPPORTED_PLATFORM",
      `reading the memory of a process needs Linux; this is ${process.platform}`,
    );
  if (pid !== "self" && !(Number.isInteger(pid) && pid > 0 && pid <= MAX_PID))
    throw new InspectError(
      "HF_NO_SUCH_PROCESS",
      `no process can have the pid ${pid}: pids go from 1 to ${MAX_PID}`,
    );
  const status = statusOf(pid);
  if (pid !== "self") refuseWhatIsNone(pid, status);
  let memory: ProcessMemory | undefined;
  try {
    const program = findV8(pid);
    try {
      memory = new ProcessMemory(pid);
      return describe(pid, status, program, memory);
    } finally {
      program.elf.close();
    }
  } catch (error) {
    memory?.close();
    throw toRefusal(pid, status, error);
  }
}

/** Throws `InspectError` where a process has ended, or has become another program: what was read of it is worthless. */
export function refuseGone({ pid, memory, landmark }: Target): void {
  memory.forget();
  if (!Number.isNaN(memory.word(landmark))) return;
  throw new InspectError(
    "HF_PROCESS_GONE",
    `process ${pid} ended, or became another program, while it was read`,
  );
}

/** What a file of the target does not give is a refusal; what else goes wrong is not. */
export function toRefusal(pid: number | "self", status: ProcessStatus, error: unknown): unknown {
  if (error instanceof InspectError) return error;
  if (saysGone(error))
    return new InspectError("HF_PROCESS_GONE", `process ${pid} ended while it was read`, { cause: error });
  const code = systemCode(error);
  return code === "EACCES" || code === "EPERM" ? notAllowed(pid, status, error) : error;
}

interface Program {
  readonly elf: ElfFile;
  /** What is to be added to the addresses of its symbols. */
  readonly base: number;
  readonly landmark: number;
}

function describe(
  pid: number | "self",
  status: ProcessStatus,
  program: Program,
  memory: ProcessMemory,
): Target {
  const { elf, base, landmark } = program;
  const parts = VERSION_PARTS.map((name) => elf.constant(name));
  if (parts.includes(undefined))
    throw new InspectError(
      "HF_UNKNOWN_V8",
      `the executable of process ${pid} does not say which V8 it holds`,
    );
  const v8 = parts.join(".");
  return {
    pid,
    memory,
    layout: layoutOf(elf, v8),
    node: nodeVersion(elf, base, memory),
    v8,
    arch: elf.machine,
    wasStopped: isStopped(status),
    landmark,
  };
}

/** The executable, or the library that it has V8 from: distributions build Node that way. */
function findV8(pid: number | "self"): Program {
  const root = `/proc/${pid}`;
  const maps = mappings(root);
  const [first] = maps;
  // It has lost its memory since its status was read.
  if (first === undefined)
    throw new InspectError("HF_PROCESS_GONE", `process ${pid} ended while it was read`);
  const executable = openElf([`${root}/exe`]);
  if (executable !== undefined) {
    const start = maps.find(({ offset, path }) => offset === 0 && path.startsWith("/")) ?? first;
    if (hasV8(executable))
      return { elf: executable, base: executable.isRelocatable ? start.from : 0, landmark: start.from };
    executable.close();
  }
  for (const library of maps.filter(isLibrary)) {
    const elf = openElf(pathsOf(root, library));
    if (elf === undefined) continue;
    if (hasV8(elf)) return { elf, base: library.from, landmark: library.from };
    elf.close();
  }
  throw new InspectError("HF_NOT_NODE", notNode(pid, root));
}

function hasV8(elf: ElfFile): boolean {
  return elf.symbol(VERSION_PARTS[0] as string) !== undefined;
}

function isLibrary({ offset, path }: Mapping): boolean {
  return offset === 0 && /\/lib(node|v8)[^/]*\.so/.test(path);
}

/** The file as the process sees it, in a container of its own; or, where it was replaced since, what is mapped of it. */
function pathsOf(root: string, { from, to, path }: Mapping): string[] {
  return [`${root}/root${path}`, `${root}/map_files/${from.toString(16)}-${to.toString(16)}`];
}

function openElf(paths: readonly string[]): ElfFile | undefined {
  let refusal: unknown;
  for (const path of paths) {
    try {
      return new ElfFile(path);
    } catch (error) {
      const code = systemCode(error);
      if (code === "EACCES" || code === "EPERM") refusal ??= error;
      // Else it is no ELF file, or is not there: then V8 is not in this one.
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

/** Node is what its executable or its threads are called; the rest is some other program. */
function notNode(pid: number | "self", root: string): string {
  const name = readFileSync(`${root}/comm`, "latin1").trim();
  const [program = ""] = readFileSync(`${root}/cmdline`, "utf8").split("\0");
  return /(^|[/-])(node(js)?|MainThread)\b/.test(`${program} ${name}`)
    ? `process ${pid} (${program || name}) looks like Node, but neither its executable nor a libnode of it exports ` +
        "V8's symbols: they were stripped; an official build has them"
    : `process ${pid} is ${name || program}, and no Node: there is no V8 in its executable`;
}

function nodeVersion(elf: ElfFile, base: number, memory: ProcessMemory): string | undefined {
  const at = elf.symbol(METADATA);
  if (at === undefined) return undefined;
  const characters = memory.word(at + base);
  const length = memory.word(at + base + 8);
  if (!(length > 0 && length < 32)) return undefined;
  const text = memory.bytes(characters, length)?.toString("latin1");
  return text !== undefined && /^\d+\.\d+\.\d+/.test(text) ? text : undefined;
}
