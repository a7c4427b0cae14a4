import { readFileSync } from "node:fs";
import { ElfFile } from "./elf.ts";
import { InspectError, systemCode } from "./errors.ts";
import { layoutOf } from "./layout.ts";
import type { Layout } from "./layout.ts";
import { mappings, ProcessMemory } from "./process-memory.ts";

/** A process that can be read. */
export interface Target {
  readonly pid: number | "self";
  readonly memory: ProcessMemory;
  readonly layout: Layout;
  /** `24.1.0`; undefined where the process does not say. */
  readonly node: string | undefined;
  readonly v8: string;
  readonly arch: string;
}

/** V8's own version, as its executable exports it: `v8::internal::Version::major_` and so on (src/utils/version.h). */
const VERSION_PARTS = ["6major_E", "6minor_E", "6build_E", "6patch_E"].map((part) => `_ZN2v88internal7Version${part}`);
/** `node::per_process::metadata` (src/node_metadata.h): its first field is the version of Node, a std::string. */
const METADATA = "_ZN4node11per_process8metadataE";

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
  refuseThread(pid);
  const memory = new ProcessMemory(pid);
  try {
    const { elf, base } = findV8(pid, memory.root);
    try {
      const parts = VERSION_PARTS.map((name) => elf.constant(name));
      if (parts.includes(undefined))
        throw new InspectError("HF_UNKNOWN_V8", `the executable of process ${pid} does not say which V8 it holds`);
      const v8 = parts.join(".");
      const layout = layoutOf(elf, v8);
      return { pid, memory, layout, node: nodeVersion(elf, base, memory), v8, arch: elf.machine };
    } finally {
      elf.close();
    }
  } catch (error) {
    memory.close();
    throw error;
  }
}

/** A thread's id opens the same files as its process's: but people mean the process. */
function refuseThread(pid: number | "self"): void {
  if (pid === "self") return;
  const match = /^Tgid:\s*(\d+)$/m.exec(readOr(`/proc/${pid}/status`, pid));
  const owner = Number(match?.[1]);
  if (owner !== pid)
    throw new InspectError("HF_NO_SUCH_PROCESS", `${pid} is a thread of process ${owner}: ask for that one`);
}

function readOr(path: string, pid: number | "self"): string {
  try {
    return readFileSync(path, "latin1");
  } catch (cause) {
    const code = systemCode(cause);
    throw new InspectError(
      code === "EACCES" ? "HF_NOT_ALLOWED" : "HF_NO_SUCH_PROCESS",
      code === "EACCES" ? `process ${pid} may not be looked at` : `no process has the pid ${pid}`,
      { cause },
    );
  }
}

interface Found {
  readonly elf: ElfFile;
  /** What is to be added to the addresses of its symbols. */
  readonly base: number;
}

/** The executable, or the library that it has V8 from: distributions build Node that way. */
function findV8(pid: number | "self", root: string): Found {
  const maps = mappings(root);
  if (maps.length === 0)
    throw new InspectError("HF_NOT_NODE", `process ${pid} has no memory of its own: a thread of the kernel, or a zombie`);
  const libraries = maps.filter(({ offset, path }) => offset === 0 && /\/lib(node|v8)[^/]*\.so/.test(path));
  const candidates = [
    { file: `${root}/exe`, from: undefined },
    ...libraries.map(({ path, from }) => ({ file: `${root}/root${path}`, from })),
  ];
  for (const { file, from } of candidates) {
    const elf = openElf(file, pid);
    if (elf === undefined) continue;
    if (elf.symbol(VERSION_PARTS[0] as string) !== undefined) {
      return { elf, base: elf.isRelocatable ? (from ?? startOfExecutable(root)) : 0 };
    }
    elf.close();
  }
  throw new InspectError(
    "HF_NOT_NODE",
    `process ${pid} is not Node, or its executable was stripped of V8's symbols`,
  );
}

function openElf(file: string, pid: number | "self"): ElfFile | undefined {
  try {
    return new ElfFile(file);
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "EACCES" || code === "EPERM")
      throw new InspectError("HF_NOT_ALLOWED", `the executable of process ${pid} may not be read`, { cause });
    // No ELF file, or gone: then V8 is not in this one.
    return undefined;
  }
}

/** Where the executable was loaded: its first mapping. */
function startOfExecutable(root: string): number {
  const maps = mappings(root);
  const auxiliary = maps.find(({ offset, path }) => offset === 0 && path.startsWith("/"));
  return auxiliary?.from ?? 0;
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
