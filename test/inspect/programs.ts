import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { hasOtherNodes, inspectedNodes, programPath } from "../../scripts/programs.ts";

/** The path of a fixture. */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** Every Node into which the inspector looks, by name and path. */
export function nodes(): readonly (readonly [name: string, path: string])[] {
  const own = ["this Node", process.execPath] as const;
  return hasOtherNodes ? [...inspectedNodes.map((name) => [name, programPath(name)] as const), own] : [own];
}

/** A process that is looked at; killed at the end of the test. */
export class Program {
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  output = "";
  readonly #watchers = new Set<() => void>();
  #hasEnded = false;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], ...options });
    this.process.stdout?.on("data", (data: Buffer) => {
      this.output += data.toString();
      for (const watcher of this.#watchers) watcher();
    });
    this.ended = new Promise((resolve) => {
      this.process.once("exit", () => {
        this.#hasEnded = true;
        for (const watcher of this.#watchers) watcher();
        resolve();
      });
    });
    onTestFinished(async () => {
      this.process.kill("SIGCONT");
      this.process.kill("SIGKILL");
      await this.ended;
    });
  }

  /** A Node program, when it has said that it is ready. */
  static async node(
    name: string,
    args: readonly string[] = [],
    {
      node = process.execPath,
      flags = [],
      ...options
    }: SpawnOptions & { readonly node?: string; readonly flags?: readonly string[] } = {},
  ): Promise<Program> {
    const program = new Program(node, [...flags, fixture(name), ...args], options);
    await program.untilSaid(/^ready$/m);
    return program;
  }

  /** Any program, when it has written a line. */
  static async start(command: string, args: readonly string[]): Promise<Program> {
    const program = new Program(command, args);
    await program.untilSaid(/\n/);
    return program;
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`${this.process.spawnfile} could not be started`);
    return pid;
  }

  /** Its state, as the kernel has it. */
  get state(): string {
    return stateOf(this.pid);
  }

  untilSaid(text: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = text.exec(this.output);
        if (match === null && !this.#hasEnded) return;
        this.#watchers.delete(look);
        if (match === null) reject(new Error(`ended without saying ${text}: ${this.output}`));
        else resolve(match);
      };
      this.#watchers.add(look);
      look();
    });
  }
}

export function stateOf(pid: number | string): string {
  return /^State:\s*(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? "";
}

/** What test/inspect/fixtures/dumps.ts prints. */
export interface Printed {
  readonly code?: string;
  readonly message?: string;
  readonly target?: {
    readonly pid: number;
    readonly node?: string;
    readonly wasIdle: boolean;
    readonly wasStopped: boolean;
    readonly stops: number[];
  };
  readonly functions?: {
    readonly name: string;
    readonly isolate: number;
    readonly line?: number;
    readonly file?: string;
    readonly awaitedBy: readonly string[];
  }[];
  readonly warnings?: string[];
}

/** Dumps from a process of its own, which `through` may start in another way. */
export function printedDump(args: readonly string[], through: readonly string[] = []): Printed {
  const [command = "", ...rest] = [
    ...through,
    process.execPath,
    "--no-warnings",
    fixture("dumps.ts"),
    ...args,
  ];
  const { stdout, stderr } = spawnSync(command, rest, { encoding: "utf8" });
  const line = stdout.split("\n").findLast((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`no dump: ${stdout}${stderr}`);
  return JSON.parse(line) as Printed;
}

/** Whether a command is there, and does what it is to do here. */
export function can(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}
