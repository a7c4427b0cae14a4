import { fork, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { owned } from "./children.ts";

/** What is looked at. */
export interface Size {
  readonly name: string;
  /** Of memory that no file backs: a Node that has just started has 8, and 35 of its executable beside. */
  readonly megabytes: number;
  readonly functions: number;
  /** Whether a heap snapshot of it takes seconds; of the others, minutes. */
  readonly hasQuickSnapshot: boolean;
}

/** The longest time between two turns of an event loop, in ms. */
export interface Gap {
  readonly longest: number;
  /** Without the time in which the process could have run, and others had the core. */
  readonly longestOwn: number;
}

/** What the program can be told, and what it answers. */
interface Tasks {
  watch: [undefined, undefined];
  gaps: [undefined, Gap];
  work: [{ readonly rate: number }, undefined];
  rest: [undefined, { readonly calls: number; readonly ms: number }];
  snapshot: [{ readonly path: string }, { readonly pause: number; readonly cpu: number }];
}

const PROGRAM = fileURLToPath(new URL("target/main.mjs", import.meta.url));
const FLAGS = [
  "--expose-gc",
  "--max-old-space-size=8192",
  // For minutes after it was filled V8 would look every 8 s whether memory can be given back: that is no sleep.
  "--no-memory-reducer",
];
/** Nothing has run in it for so long: then it sleeps. */
const QUIET = 500;
const PATIENCE = 30_000;

/** A process that is looked at, and does what it is told; ends with this one. */
export class Target {
  readonly size: Size;
  readonly #child: ChildProcess;
  #isToEnd = false;

  private constructor(size: Size) {
    this.size = size;
    const args = [String(size.megabytes), String(size.functions)];
    this.#child = owned(fork(PROGRAM, args, { execArgv: FLAGS }));
    this.#child.once("exit", (code, signal) => {
      // Nothing is left to be measured: not caught, this ends the run.
      if (!this.#isToEnd) throw new Error(`the target ${size.name} has ended with ${code ?? signal}`);
    });
  }

  /** Resolves when all of its functions are suspended, and its memory is full. */
  static async start(size: Size): Promise<Target> {
    const target = new Target(size);
    await target.#answer();
    return target;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error("the target could not be started");
    return pid;
  }

  /** Tells it to do something; resolves with its answer. */
  tell<T extends keyof Tasks>(task: T, details?: Tasks[T][0]): Promise<Tasks[T][1]> {
    this.#child.send({ task, ...details });
    return this.#answer() as Promise<Tasks[T][1]>;
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve) => {
      this.#child.once("message", ({ answer }: { answer: unknown }) => resolve(answer));
    });
  }

  /** Resolves when it sleeps, or will not: what it has allocated keeps V8's own threads busy for a while. */
  async untilQuiet(): Promise<void> {
    let before = "";
    for (let waited = 0; waited < PATIENCE; waited += QUIET) {
      const now = this.#activity();
      if (now === before) return;
      before = now;
      await sleep(QUIET);
    }
  }

  /** How long each of its threads has run, and how often. */
  #activity(): string {
    const threads = `/proc/${this.pid}/task`;
    return readdirSync(threads)
      .map((thread) => readFileSync(`${threads}/${thread}/schedstat`, "latin1"))
      .join("");
  }

  async end(): Promise<void> {
    if (this.#isToEnd) return;
    this.#isToEnd = true;
    const ended = new Promise((resolve) => {
      this.#child.once("exit", resolve);
    });
    this.#child.kill("SIGKILL");
    await ended;
  }
}
