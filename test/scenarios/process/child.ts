import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFailed, onTestFinished } from "vitest";
import type { ProcessReport } from "../../../src/process/report.ts";

export const STORIES: string = fileURLToPath(new URL("../fixtures/stories.ts", import.meta.url));

/** Where a text stands in the stories, counted from 1. */
export function placeOf(text: string): { line: number; column: number } {
  const before = readFileSync(STORIES, "utf8").split(text)[0]?.split("\n") ?? [];
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** What runs a story: Node 22 has to be told to strip types. */
export function commandOf(story: string, flags: readonly string[] = []): [string, ...string[]] {
  const strip = process.version.startsWith("v22.")
    ? ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"]
    : [];
  return [process.execPath, ...strip, ...flags, STORIES, story];
}

/** The command as a shell takes it. */
export function shellCommandOf(story: string): string {
  return commandOf(story)
    .map((part) => `'${part}'`)
    .join(" ");
}

/** A folder for the crash journals of one process: what was killed here is not told there. */
export function ownState(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A real process, and what it says. Killed at the end of the test, if it is still there. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<ChildEnd>;
  readonly #watchers: Set<() => void> = new Set<() => void>();
  #end: ChildEnd | undefined;
  stdout = "";
  stderr = "";

  constructor(
    [file, ...args]: readonly [string, ...string[]],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; state?: string } = {},
  ) {
    const { state = ownState(), ...more } = options;
    const env = { ...(options.env ?? process.env), XDG_STATE_HOME: state };
    this.process = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      ...more,
      env,
      // A group of its own, so that a shell's children go with it.
      detached: true,
    });
    this.process.stdout?.on("data", (data: Buffer) => {
      this.stdout += data.toString();
      this.#look();
    });
    this.process.stderr?.on("data", (data: Buffer) => {
      this.stderr += data.toString();
      this.#look();
    });
    this.ended = new Promise((resolve, reject) => {
      this.process.on("error", reject);
      this.process.on("close", (code, signal) => {
        this.#end = { code, signal };
        this.#look();
        resolve(this.#end);
      });
    });
    onTestFailed(() =>
      console.error(`${file} ${args.join(" ")}\n${this.stdout}\n${this.stderr}`, this.#end ?? "lives"),
    );
    onTestFinished(() => {
      if (this.#end !== undefined || this.process.pid === undefined) return;
      process.kill(-this.process.pid, "SIGKILL");
    });
  }

  /** Starts a story, and waits until it says that it is where the test wants it. */
  static async at(line: RegExp, story: string, flags: readonly string[] = []): Promise<Child> {
    const child = new Child(commandOf(story, flags));
    await child.untilSaid(line);
    return child;
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  /** The match of what it has said, as soon as it has. Rejects when it ends without. */
  untilSaid(line: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = line.exec(this.stdout) ?? line.exec(this.stderr);
        if (match === null && this.#end === undefined) return;
        this.#watchers.delete(look);
        if (match !== null) resolve(match);
        else
          reject(
            new Error(
              `ended without saying ${line}: ${JSON.stringify(this.#end)}\n${this.stdout}${this.stderr}`,
            ),
          );
      };
      this.#watchers.add(look);
      look();
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Sends a signal and waits for the end. */
  async endBy(signal: NodeJS.Signals): Promise<ChildEnd & { readonly ms: number }> {
    const sentAt = performance.now();
    this.kill(signal);
    const end = await this.ended;
    return { ...end, ms: performance.now() - sentAt };
  }

  /** The lines of JSON on stderr. */
  get records(): Record<string, unknown>[] {
    return this.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The one report that it wrote. */
  get report(): ProcessReport {
    const reports = this.records.filter((record) => record["holdfast"] === "report");
    if (reports.length !== 1) throw new Error(`${reports.length} reports\n${this.stdout}${this.stderr}`);
    return reports[0] as unknown as ProcessReport;
  }
}
