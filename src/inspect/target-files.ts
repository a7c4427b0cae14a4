import { readFileSync, readlinkSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Longer files are not read: no source and no source map of a program is. */
const MAX_BYTES = 256 << 20;

/** The files of a process, by the paths by which it knows them: one in a container sees another disk than we do. */
export class TargetFiles {
  readonly #root: string;
  readonly #texts = new Map<string, string | undefined>();
  /** How many bytes may still be read. */
  #left: number;

  /** Of a process; no more than `maxBytes` of them. */
  constructor(pid: number, maxBytes = Number.POSITIVE_INFINITY) {
    this.#left = maxBytes;
    this.#root = seesOurFiles(pid) ? "" : `/proc/${pid}/root`;
  }

  /** The text of a file, without a byte order mark; undefined where there is none, or it may not be read. */
  text(path: string): string | undefined {
    if (this.#texts.has(path)) return this.#texts.get(path);
    const text = path.startsWith("/") ? this.#read(this.#root + path) : undefined;
    this.#texts.set(path, text);
    return text;
  }

  /** Whether so many bytes more may be read; then they are counted. */
  takes(bytes: number): boolean {
    if (bytes > Math.min(this.#left, MAX_BYTES)) return false;
    this.#left -= bytes;
    return true;
  }

  #read(path: string): string | undefined {
    try {
      const stats = statSync(path);
      // A pipe, or a device, might never end.
      if (!stats.isFile() || !this.takes(stats.size)) return undefined;
      return readFileSync(path, "utf8").replace(/^\uFEFF/, "");
    } catch {
      // Not there, or not ours to read: a name of a file is all that is known then.
      return undefined;
    }
  }
}

/** The path of a script or a source, where its name is one: scripts go by `file:` URLs or by paths. */
export function pathOf(name: string): string | undefined {
  if (name.startsWith("/")) return name;
  if (!name.startsWith("file:")) return undefined;
  try {
    return fileURLToPath(name);
  } catch {
    // A `file:` URL of another machine or system.
    return undefined;
  }
}

/** Whether a path means the same file to the process as to us: it is in our mount namespace, and not in a chroot. */
function seesOurFiles(pid: number): boolean {
  try {
    return (
      readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync("/proc/self/ns/mnt") &&
      readlinkSync(`/proc/${pid}/root`) === readlinkSync("/proc/self/root")
    );
  } catch {
    // It has ended, or this system has no such files: then our own are all there is.
    return true;
  }
}
