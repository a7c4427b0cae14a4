import type { Dump } from "../../src/inspect/dump.ts";
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
    return {
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
      graph: { functions: this.functions },
      groups: groupStacks(this.functions),
      warnings,
    };
  }
}

export const task = (path: string, id = 1): { readonly task: { id: number; path: string } } => ({
  task: { id, path },
});
