import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import type { Engine, EngineContext, JobStore } from "../../../src/jobs/engine.ts";
import { sqlite } from "../../../src/jobs/sqlite/index.ts";
import { runsSources } from "./opened.ts";

/** What the process of an opening is asked. */
export interface Asked {
  readonly id: number;
  readonly method: keyof JobStore | "open";
  readonly args: readonly unknown[];
}

/** What it says. */
export type Told =
  | { readonly begun: number }
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } }
  | { readonly wake: Parameters<EngineContext["wake"]>[0] }
  | { readonly trouble: string };

const SCRIPT = fileURLToPath(new URL("fixtures/opening.ts", import.meta.url));

/** The processes of openings, by their stores. */
const processes = new WeakMap<JobStore, OpeningProcess>();

/** An engine on a file, each opening of which is in a process of its own. */
export function sqliteApart(file: string, durability: "full" | "normal"): Engine {
  const { name, capabilities } = sqlite(file);
  return {
    name,
    capabilities,
    async open(context) {
      const opening = new OpeningProcess(context);
      const { worker, lease, work } = context;
      await opening.ask("open", [file, durability, { worker, lease, work }]);
      const store = new Proxy({} as JobStore, {
        // Else a promise of it would take it for a promise.
        get: (_, method: keyof JobStore | "then") =>
          method === "then" ? undefined : (...args: unknown[]) => opening.ask(method, args),
      });
      processes.set(store, opening);
      return store;
    },
  };
}

/** `kill -9` of an opening when all that it was asked has begun: before it is written, meanwhile, or after. */
export async function kill(store: JobStore): Promise<void> {
  const opening = processes.get(store);
  if (opening === undefined) throw new Error("not a store of sqliteApart()");
  await opening.kill();
}

interface Pending {
  readonly begun: () => void;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** How many there were: each comes another ms after the beginning than the one before. */
let kills = 0;

class OpeningProcess {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  /** All that was asked has begun. */
  #begun: Promise<unknown> = Promise.resolve();
  #count = 0;

  constructor(context: EngineContext) {
    this.#child = fork(SCRIPT, { execArgv: runsSources, serialization: "advanced" });
    this.#child.on("message", (told: Told) => {
      if ("wake" in told) context.wake(told.wake);
      else if ("trouble" in told) context.onTrouble(new Error(told.trouble));
      else if ("begun" in told) this.#pending.get(told.begun)?.begun();
      else this.#end(told);
    });
    this.#child.on("exit", (code, signal) => {
      const error = new Error(`the process of the opening has ended: ${signal ?? code}`);
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  async ask(method: Asked["method"], args: readonly unknown[]): Promise<unknown> {
    const id = ++this.#count;
    const answer = new Promise((resolve, reject) => {
      const begun = new Promise<void>((hasBegun) =>
        this.#pending.set(id, { begun: hasBegun, resolve, reject }),
      );
      this.#begun = Promise.all([this.#begun, begun]);
    });
    this.#child.send({ id, method, args } satisfies Asked);
    const value = await answer;
    if (method === "close") this.#child.disconnect();
    return value;
  }

  async kill(): Promise<void> {
    await this.#begun;
    await setTimeout(kills++ % 4);
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  #end(told: Extract<Told, { id: number }>): void {
    const pending = this.#pending.get(told.id);
    this.#pending.delete(told.id);
    if ("error" in told)
      pending?.reject(Object.assign(new Error(told.error.message), { code: told.error.code }));
    else pending?.resolve(told.value);
  }
}
