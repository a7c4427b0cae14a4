import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestContext } from "vitest";
import type { Word } from "./fixtures/say.ts";

/** That of the test's own context: tests run side by side. */
export type OnFinished = TestContext["onTestFinished"];

/** A word, and who said it: which process, counted from 0. */
export interface Heard extends Word {
  readonly by: number;
}

const PROGRAM = fileURLToPath(new URL("./fixtures/process.ts", import.meta.url));
// Node 22 has to be told to strip types.
const FLAGS = ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"];

/**
 * Stands outside of all processes and keeps what they said: in a log that is synced before a word counts. What it has
 * heard is what somebody may rely on; what a process did and was killed before it said is not.
 */
export class Oracle {
  readonly heard: Heard[] = [];
  readonly processes: FaultyProcess[] = [];
  readonly #log: number;
  #watchers = new Set<() => void>();

  readonly #onFinished: OnFinished;

  constructor(folder: string, onFinished: OnFinished) {
    this.#onFinished = onFinished;
    this.#log = openSync(join(folder, "oracle.log"), "a");
    onFinished(() => closeSync(this.#log));
  }

  hear(word: Heard): void {
    writeSync(this.#log, `${JSON.stringify(word)}\n`);
    fdatasyncSync(this.#log);
    this.heard.push(word);
    for (const watch of this.#watchers) watch();
  }

  /** Resolves as soon as something holds of what was heard. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = (): void => {
        if (!holds()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  /** Resolves with the first word of that kind, heard or yet to come. */
  async untilHeard(what: Word["what"], more: Partial<Heard> = {}): Promise<Heard> {
    const find = (): Heard | undefined =>
      this.heard.find(
        (word) =>
          word.what === what &&
          Object.entries(more).every(([name, value]) => word[name as keyof Heard] === value),
      );
    await this.until(() => find() !== undefined);
    return find() as Heard;
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): FaultyProcess {
    const started = new FaultyProcess(this, this.#onFinished, this.processes.length, args, env);
    this.processes.push(started);
    return started;
  }
}

/** A process that says words on its stdout. */
export class FaultyProcess {
  readonly by: number;
  readonly process: ChildProcess;
  readonly ended: Promise<unknown>;
  /** When it was killed, ms since the epoch. */
  killedAt: number | undefined = undefined;
  stderr = "";
  #isEnded = false;

  constructor(
    oracle: Oracle,
    onFinished: OnFinished,
    by: number,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
  ) {
    this.by = by;
    this.process = spawn(process.execPath, [...FLAGS, PROGRAM, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.process.stderr?.on("data", (data: Buffer) => (this.stderr += data.toString()));
    if (this.process.stdout !== null)
      createInterface(this.process.stdout).on("line", (line) =>
        oracle.hear({ ...(JSON.parse(line) as Word), by }),
      );
    this.ended = once(this.process, "close").then(() => (this.#isEnded = true));
    onFinished(async () => {
      if (!this.#isEnded) this.process.kill("SIGKILL");
      await this.ended;
    });
  }

  kill(): Promise<unknown> {
    this.killedAt = Date.now();
    this.process.kill("SIGKILL");
    return this.ended;
  }

  /** Tells it something: see commands.ts. */
  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  /** Lets it end by itself. */
  end(): Promise<unknown> {
    this.process.stdin?.end();
    return this.ended;
  }
}
