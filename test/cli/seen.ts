import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { Child } from "../scenarios/process/child.ts";
import { built, holdfast } from "./run.ts";
import type { Ended } from "./run.ts";

const program = fileURLToPath(new URL("fixtures/seen.mjs", import.meta.url));

/** Where processes of one test are seen, and no others: a runtime folder of its own. */
export class Place {
  readonly runtime: string = mkdtempSync(join(tmpdir(), "holdfast-seen-"));
  readonly env: Record<string, string> = { XDG_RUNTIME_DIR: this.runtime, TMPDIR: this.runtime };

  readonly cli: string = built;

  constructor() {
    onTestFinished(() => rmSync(this.runtime, { recursive: true, force: true }));
  }

  /** The folder of the sockets. */
  get folder(): string {
    return join(this.runtime, "holdfast");
  }

  get sockets(): string[] {
    return readdirSync(this.folder).toSorted();
  }

  socketOf(child: Child): string {
    return join(this.folder, `${pidOf(child)}.sock`);
  }

  /** Starts the program, and waits until it is there and can be asked. */
  async start(name: string, what = "lives", env: Record<string, string> = {}): Promise<Child> {
    const child = this.launch(name, what, env);
    await child.untilSaid(/^ready/m);
    if (env["AGENT"] !== "no") await this.untilSeen(child);
    return child;
  }

  launch(name: string, what = "lives", env: Record<string, string> = {}): Child {
    return new Child([process.execPath, program, name, what], {
      env: { ...process.env, ...this.env, ...env },
    });
  }

  /** Its agent starts beside the program, which does not wait for it. */
  async untilSeen(child: Child): Promise<void> {
    while ((await this.run("tree", String(pidOf(child)))).code !== 0);
  }

  /** Runs the command line there. */
  run(...args: readonly string[]): Promise<Ended> {
    return holdfast(args, this.env);
  }

  /** The command line as a process that goes on. */
  command(...args: readonly string[]): Child {
    return new Child([process.execPath, built, ...args], { env: { ...process.env, ...this.env } });
  }

  async json(...args: readonly string[]): Promise<unknown> {
    const { stdout, stderr } = await this.run(...args, "--json");
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout);
  }

  /** Runs a shell there; `$0` is the command line. */
  shell(command: string, shell = "bash"): Promise<Ended> {
    return new Promise((resolve) => {
      const options = { env: { ...process.env, ...this.env, NODE: process.execPath } };
      execFile(shell, ["-c", command, built], options, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });
  }
}

export function pidOf({ process: { pid } }: Child): number {
  if (pid === undefined) throw new Error("it could not be started");
  return pid;
}
