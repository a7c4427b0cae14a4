import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { InspectError } from "./errors.ts";
import { keeper } from "./keeper-process.ts";

/** A process that stops another one and sees to it that it goes on, whatever becomes of this one. */
export class Keeper {
  readonly #pid: number;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(pid: number, process: ChildProcessWithoutNullStreams) {
    this.#pid = pid;
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when it stands ready. It has not stopped anything yet. */
  static async start(pid: number): Promise<Keeper> {
    // `__name` is what bundlers wrap functions in to keep their names.
    const source = `const __name = (fn) => fn; (${keeper.toString()})(${pid});`;
    const child = spawn(process.execPath, ["--eval", source], {
      // A session of its own: what ends ours, a terminal that closes or a signal to our group, does not reach it.
      detached: true,
      cwd: "/",
      env: {},
      stdio: ["pipe", "pipe", "pipe"],
    });
    // What is written to a keeper that has gone is answered by its end.
    child.stdin.on("error", () => undefined);
    const own = new Keeper(pid, child);
    await own.#untilSaid("ready");
    return own;
  }

  /** Stops the process: resolves when all of its threads have stopped. */
  async stop(): Promise<void> {
    this.#process.stdin.write("stop\n");
    await this.#untilSaid("stopped");
  }

  /** Lets it go on. Resolves with how long it was stopped, in ms. */
  async resume(): Promise<number> {
    this.#process.stdin.write("resume\n");
    const [, ms = ""] = (await this.#untilSaid("resumed")).split(" ");
    return Number(ms);
  }

  /** Ends the keeper; if the process is still stopped, it goes on. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) resolve(undefined);
      else this.#process.once("exit", resolve);
    });
    this.#process.stdin.end();
    await ended;
  }

  async #untilSaid(word: string): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done !== true && (value === word || value.startsWith(`${word} `))) return value;
    // It may have gone with the process stopped: then it is on us. To a process that runs this does nothing.
    if (done === true) wake(this.#pid);
    throw new InspectError(
      "HF_CANNOT_STOP",
      `process ${this.#pid} cannot be stopped: ${done === true ? "the process that was to do it has ended" : value}`,
    );
  }
}

function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    // Ended, or not ours to signal: then it was not stopped either.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
