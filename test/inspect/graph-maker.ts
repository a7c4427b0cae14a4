import type { Dump } from "../../src/inspect/dump.ts";
import { openDump } from "../../src/inspect/flat-dump.ts";
import type { GraphColumns } from "../../src/inspect/graph-columns.ts";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import { groupStacks } from "../../src/inspect/groups.ts";
import type { ScriptInfo } from "../../src/inspect/scripts.ts";

/** Functions made by hand, as a reader would make them. */
export class GraphMaker {
  readonly functions: SuspendedFunction[] = [];
  readonly #scripts = new Map<string, ScriptInfo>();

  script(url: string | undefined, more: Partial<ScriptInfo> = {}): ScriptInfo {
    const key = `${url} ${JSON.stringify(more)}`;
    let script = this.#scripts.get(key);
    if (script === undefined) {
      script = { url, sourceMapUrl: undefined, source: undefined, lineOffset: 0, columnOffset: 0, ...more };
      this.#scripts.set(key, script);
    }
    return script;
  }

  /** `at` as `/app/x.js:1:2`; who awaits it comes first. */
  add(
    name: string,
    at: string,
    awaitedBy: readonly SuspendedFunction[] = [],
    more: Partial<SuspendedFunction> = {},
  ): SuspendedFunction {
    const [, url, line, column] = /^(.*):(\d+):(\d+)$/.exec(at) ?? [];
    const one: SuspendedFunction = {
      name,
      isGenerator: false,
      isTopLevel: false,
      suspension: "await",
      script: this.script(url),
      place: line === undefined ? undefined : { line: Number(line), column: Number(column) },
      task: undefined,
      isolate: 0,
      realm: 0,
      awaitedBy,
      isChanging: false,
      ...more,
    };
    this.functions.push(one);
    return one;
  }

  /** A stack, the innermost function first; returns that one. */
  stack(
    ...frames: readonly (readonly [name: string, at: string, more?: Partial<SuspendedFunction>])[]
  ): SuspendedFunction {
    let last: SuspendedFunction | undefined;
    for (const [name, at, more] of frames.toReversed())
      last = this.add(name, at, last === undefined ? [] : [last], more);
    if (last === undefined) throw new Error("a stack has a frame");
    return last;
  }

  dump(warnings: readonly string[] = []): Dump {
    const graph = toColumns(this.functions);
    return openDump({
      reader: "memory",
      target: {
        pid: 4242,
        node: "24.1.0",
        v8: "13.6.233",
        arch: "x64",
        wasIdle: true,
        wasStopped: false,
        stops: [],
      },
      graph,
      groups: groupStacks(graph),
      warnings,
    });
  }
}

/** The same functions as a reader writes them down. */
export function toColumns(functions: readonly SuspendedFunction[]): GraphColumns {
  const rows = new Map(functions.map((one, row) => [one, row]));
  const awaiters = functions.map(({ awaitedBy }) => awaitedBy.map((one) => rows.get(one) ?? -1));
  let end = 0;
  return {
    kinds: functions.map(
      ({
        name,
        start,
        isGenerator,
        isTopLevel,
        suspension,
        script,
        place,
        task,
        isolate,
        realm,
        isChanging,
      }) => ({
        name,
        start,
        isGenerator,
        isTopLevel,
        suspension,
        script,
        place,
        path: task?.path,
        isolate,
        realm,
        isChanging,
      }),
    ),
    kind: Int32Array.from(functions.keys()),
    task: Int32Array.from(functions, (one) => one.task?.id ?? -1),
    starts: Int32Array.from([0, ...awaiters.map(({ length }) => (end += length))]),
    awaiters: Int32Array.from(awaiters.flat()),
  };
}

export const task = (path: string, id = 1): { readonly task: { id: number; path: string } } => ({
  task: { id, path },
});
