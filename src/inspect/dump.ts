import { Worker } from "node:worker_threads";
import { InspectError } from "./errors.ts";
import type { RefusalCode } from "./errors.ts";
import { openDump } from "./flat-dump.ts";
import type { FlatDump } from "./flat-dump.ts";
import type { AwaitGraph } from "./graph.ts";
import type { StackGroup } from "./groups.ts";
import type { TaskLines } from "./await-line.ts";

/** What is asked of a dump. */
export interface DumpOptions {
  /** Whose: a process id. @default this process */
  readonly pid?: number;
  /**
   * Stops the other process while it is read, twice or more, each time for as long as one look takes. For a process so
   * busy that too much of it is marked as changing. @default false
   */
  readonly stop?: boolean;
}

/** Where every suspended async function of a process waits, and who awaits whom. */
export interface Dump {
  /** What it was read with. */
  readonly reader: "memory";
  readonly target: DumpTarget;
  readonly graph: AwaitGraph;
  readonly groups: readonly StackGroup[];
  /** What could not be read for sure, in sentences. */
  readonly warnings: readonly string[];
}

/** Of which process a dump is. */
export interface DumpTarget {
  readonly pid: number;
  /** Its Node, as `24.1.0`; undefined where it does not say. */
  readonly node: string | undefined;
  readonly v8: string;
  readonly arch: string;
  /** Nothing ran in it while it was read. */
  readonly wasIdle: boolean;
  /** It had been stopped before anybody looked (SIGSTOP, a debugger), and was left so. */
  readonly wasStopped: boolean;
  /** How long it was stopped for the dump, in ms, each time; empty without `stop`. */
  readonly stops: readonly number[];
}

/** What the reader's thread is started with. */
export interface ReaderData {
  readonly pid: number | "self";
  readonly stop: boolean;
  /**
   * The whole dump, at once; or only the lines at which tasks of holdfast stand, when the thread is told "go": it is
   * started earlier, and has then read once to no purpose but that its code is compiled. @default "dump"
   */
  readonly want?: "dump" | "tasks";
}

/** What it answers. */
export type ReaderAnswer =
  | { readonly dump: FlatDump }
  | {
      readonly tasks: readonly TaskLines[];
      /** Else these are of the files that run, and the same lines come again, through source maps. */
      readonly isLast: boolean;
    }
  | { readonly refusal: { readonly code: RefusalCode; readonly message: string; readonly cause: unknown } };

/**
 * Reads where every suspended async function of a process waits, and who awaits whom: of any Node process that this
 * one may read, or of this one itself. Nothing runs in the other process, and without `stop` nothing stops it. The
 * reading is done in a thread of its own, so that the caller's event loop goes on; a main thread that is blocked can be
 * looked at from a worker thread.
 *
 * @throws InspectError (as a rejection): its `code` says why the process cannot be read, its message what to do. Where
 * the reader is not sure that it knows this V8, it refuses (`HF_LAYOUT_MISMATCH`) rather than print a wrong line.
 * RangeError (`HF_BAD_OPTION`, as a rejection) for an option that cannot be.
 * @example
 * const { graph } = await dump({ pid: 4711 });
 * for (const { name, script, place } of graph.functions) console.log(name, script.url, place?.line);
 */
export async function dump(options: DumpOptions = {}): Promise<Dump> {
  const { pid, stop = false } = checked(options);
  const isSelf = pid === undefined || pid === process.pid;
  if (stop && isSelf)
    throw new InspectError(
      "HF_CANNOT_STOP",
      "a process that has stopped cannot read: of itself, dump without `stop`",
    );
  const answer = await askReader({ pid: isSelf ? "self" : pid, stop });
  if ("dump" in answer) return openDump(answer.dump);
  if (!("refusal" in answer)) throw new TypeError("the reader's thread has answered something else");
  const { code, message, cause } = answer.refusal;
  throw new InspectError(code, message, { cause });
}

/** `dump(4711)` would else be one of this process. */
function checked(options: DumpOptions): DumpOptions {
  const isObject = typeof options === "object" && options !== null;
  const { pid } = isObject ? options : {};
  if (isObject && (pid === undefined || typeof pid === "number")) return options;
  const [option, value, expected] = isObject
    ? ["pid", pid, "the id of a process"]
    : ["options", options, "an object, such as { pid: 4711 }"];
  throw Object.assign(new RangeError(`${option} is ${JSON.stringify(value)}: expected ${expected}`), {
    code: "HF_BAD_OPTION",
    option,
  });
}

/**
 * The thread's file stands beside this one, with this one's ending: in the sources, and in the package. In a bundle it
 * does not, and to start the bundle itself would be to run the program once more; one in CommonJS has no URL at all.
 */
const FILE = /dump(\.[jt]s)$/;
const OWN = import.meta.url as string | undefined;
const THREAD = OWN !== undefined && FILE.test(OWN) ? OWN.replace(FILE, "reader-thread$1") : undefined;

function askReader(data: ReaderData): Promise<ReaderAnswer> {
  return new Promise((resolve, reject) => {
    if (THREAD === undefined)
      throw new Error(
        "a bundle has no thread that reads: leave `holdfast` out of it, as a package beside it",
      );
    const worker = new Worker(new URL(THREAD), {
      name: "holdfast reader",
      workerData: data,
      // No preloads of the application, neither from its flags nor from NODE_OPTIONS.
      env: {},
      execArgv: ["--no-warnings"],
    });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) =>
      reject(new Error(`the reader's thread ended with ${code} before it had read`)),
    );
  });
}
