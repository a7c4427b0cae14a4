import { Contexts } from "./contexts.ts";
import type { Thread } from "./contexts.ts";
import type { Dump } from "./dump.ts";
import type { SuspendedFunction } from "./graph.ts";
import type { StackGroup } from "./groups.ts";
import { Locations } from "./locations.ts";
import type { FilePlace } from "./locations.ts";
import { select } from "./selection.ts";
import type { Selection } from "./selection.ts";
import { taskOf } from "./task-of.ts";

/** What `toJson` is asked for. */
export interface JsonOptions extends Selection {
  /** Whether to go through source maps. @default true */
  readonly maps?: boolean | undefined;
}

/** A dump as plain data; `holdfast/inspect/dump.schema.json` describes it as a JSON Schema. */
export interface DumpJson {
  /** Of this form; a new number where something changes that was there before. */
  readonly schema: 1;
  readonly reader: Dump["reader"];
  readonly target: {
    readonly pid: number;
    /** `24.1.0`; null where the process does not say. */
    readonly node: string | null;
    readonly v8: string;
    readonly arch: string;
    /** Nothing ran in it while it was read: what is here is from one moment. */
    readonly wasIdle: boolean;
  };
  /** How many suspended functions the process has, selected or not. */
  readonly suspended: number;
  /** The largest first. */
  readonly groups: readonly GroupJson[];
  /** What was selected but is beyond `limit`; absent where nothing is. */
  readonly leftOut?: { readonly groups: number; readonly stacks: number };
  /** Absent where there is one thread with one context. */
  readonly threads?: readonly Thread[];
  /** What is not sure, in sentences. */
  readonly warnings: readonly string[];
}

/** Stacks that read the same. */
export interface GroupJson {
  readonly count: number;
  /** The task of holdfast that they belong to; absent where there is none. */
  readonly task?: { readonly path: string };
  /** 0 is the main thread. */
  readonly thread: number;
  /** Which context of `node:vm`, counted from 0 in its thread: that of the innermost function. */
  readonly context: number;
  /** The innermost function first, each awaited by the next. */
  readonly frames: readonly FrameJson[];
  /** What the innermost function waits for. */
  readonly waitingOn: { readonly kind: "await" | "yield" | "start" | "unknown" };
}

/** A suspended function, and where in it the `await` is; lines and columns are counted from 1. */
export interface FrameJson {
  /** Empty where it has none. As it is called in `file`, where that is certain; else as V8 calls it. */
  readonly name: string;
  /** A path, or what else the file goes by; null where it has no name. */
  readonly file: string | null;
  /** Null where V8 does not say. */
  readonly line: number | null;
  readonly column: number | null;
  /** Where it is in the file that runs, which V8's own stack traces name; absent where that is the same. */
  readonly generated?: {
    /** What V8 calls the function; absent where that is the same. */
    readonly name?: string;
    readonly file: string | null;
    readonly line: number;
    readonly column: number;
  };
  /** It did not stay the same while it was read: where it stands may be wrong. */
  readonly changing?: true;
}

/**
 * Makes plain data of a dump: what `holdfast dump --json` prints. Reads source maps and the files of the process, so
 * call it while the process lives. Never throws for a map or a file that cannot be read; a map is told of in `warnings`.
 *
 * @example
 * const { groups } = toJson(await dump({ pid: 4242 }), { minCount: 100 });
 */
export function toJson(dump: Dump, options: JsonOptions = {}): DumpJson {
  const { reader, target, graph } = dump;
  const locations = new Locations(target.pid, options.maps ?? true);
  const contexts = new Contexts(dump);
  const { groups, leftOut } = select(dump.groups, options, locations);
  const isOne = contexts.threads.length < 2 && (contexts.threads[0]?.contexts ?? 1) < 2;
  return {
    schema: 1,
    reader,
    target: {
      pid: target.pid,
      node: target.node ?? null,
      v8: target.v8,
      arch: target.arch,
      wasIdle: target.wasIdle,
    },
    suspended: graph.functions.length,
    groups: groups.map((group) => toGroup(group, contexts, locations)),
    ...(leftOut.groups === 0 ? {} : { leftOut }),
    ...(isOne ? {} : { threads: contexts.threads }),
    // Last: by now it is known which maps could not be used.
    warnings: [...dump.warnings, ...locations.warnings],
  };
}

function toGroup({ count, frames }: StackGroup, contexts: Contexts, locations: Locations): GroupJson {
  const [innermost] = frames;
  const task = taskOf(frames);
  return {
    count,
    ...(task === undefined ? {} : { task: { path: task.path } }),
    thread: innermost?.isolate ?? 0,
    context: contexts.of(frames),
    frames: frames.map((frame) => toFrame(frame, locations)),
    waitingOn: { kind: innermost?.suspension ?? "unknown" },
  };
}

function toFrame(frame: SuspendedFunction, locations: Locations): FrameJson {
  const { file, line, column, generated } = locations.of(frame);
  const name = locations.nameOf(frame);
  return {
    name,
    file: file ?? null,
    line: line ?? null,
    column: column ?? null,
    ...(generated === undefined ? {} : { generated: toGenerated(generated, name, frame.name) }),
    ...(frame.isChanging ? { changing: true } : {}),
  };
}

function toGenerated(
  { file, line, column }: FilePlace,
  name: string,
  own: string,
): NonNullable<FrameJson["generated"]> {
  return { ...(own === name ? {} : { name: own }), file: file ?? null, line, column };
}
