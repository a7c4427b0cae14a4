import { execFile, spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { dump, InspectError, toText } from "holdfast/inspect";

/** A service that runs as a process of its own, seen from outside: what it writes, and how it ends. */
export class Service {
  readonly process: ChildProcess;
  /** All that it wrote, both streams. */
  readonly lines: string[] = [];
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly #watchers = new Set<(line: string) => void>();
  readonly #giveUp: AbortSignal;

  constructor(script: URL, env: Readonly<Record<string, string>>, giveUp: AbortSignal) {
    this.#giveUp = giveUp;
    this.process = spawn(process.execPath, [...process.execArgv, fileURLToPath(script)], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream !== null) createInterface(stream).on("line", (line) => this.#wrote(line));
    }
    // "close" rather than "exit": by then its last words have arrived too.
    this.exit = new Promise((resolve) =>
      this.process.once("close", (code, signal) => resolve({ code, signal })),
    );
    giveUp.addEventListener("abort", () => this.process.kill("SIGKILL"), { once: true });
  }

  /** Resolves with the first line that matches, of those written or yet to come. */
  async untilLine(pattern: RegExp): Promise<RegExpExecArray> {
    for (const line of this.lines) {
      const match = pattern.exec(line);
      if (match !== null) return match;
    }
    return new Promise((resolve, reject) => {
      const watch = (line: string): void => {
        const match = pattern.exec(line);
        if (match === null) return;
        this.#watchers.delete(watch);
        resolve(match);
      };
      const fail = (): void => {
        this.#watchers.delete(watch);
        reject(new Error(`it never wrote a line like ${String(pattern)}`));
      };
      this.#watchers.add(watch);
      this.#giveUp.addEventListener("abort", fail, { once: true });
      void this.exit.then(fail);
    });
  }

  #wrote(line: string): void {
    this.lines.push(line);
    for (const watch of this.#watchers) watch(line);
  }
}

export interface Answer<T> {
  readonly status: number;
  readonly ms: number;
  readonly body: T;
}

/** One HTTP call, answered in JSON. */
export async function call<T>(
  method: string,
  url: string,
  body?: object,
  signal?: AbortSignal,
): Promise<Answer<T>> {
  const began = performance.now();
  const response = await fetch(url, {
    method,
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
    ...(signal !== undefined && { signal }),
  });
  const answer = (await response.json()) as T;
  return { status: response.status, ms: Math.round(performance.now() - began), body: answer };
}

const repository = new URL(".", import.meta.resolve("holdfast/package.json"));

interface Printed {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npx holdfast ARGS` prints. */
export function holdfast(args: readonly string[]): Promise<Printed> {
  const cli = fileURLToPath(new URL("dist/cli/holdfast.cjs", repository));
  return new Promise((resolve) =>
    execFile(process.execPath, [cli, ...args], { cwd: fileURLToPath(repository) }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    ),
  );
}

/** How `holdfast dump` ends where the process may not be read, and where the system has no way to. */
const [notAllowed, unsupported] = [4, 8];

/**
 * What `holdfast dump PID --filter TEXT --source` prints of a process that this one has started; else why the machine
 * does not let it look.
 */
export async function dumpOf(pid: number, filter: string): Promise<{ text: string } | { refusal: string }> {
  const { code, stdout, stderr } = await holdfast(["dump", String(pid), "--filter", filter, "--source"]);
  if (code === 0) return { text: stdout };
  if (code === unsupported) return { refusal: stderr.trim() };
  if (code !== notAllowed) throw new Error(`holdfast dump ended with ${String(code)}: ${stderr.trim()}`);
  // Many machines let nobody read a process but those who started it. That is who this is.
  try {
    return { text: toText(await dump({ pid }), { filter, source: true, from: fileURLToPath(repository) }) };
  } catch (error) {
    if (error instanceof InspectError) return { refusal: error.message };
    throw error;
  }
}

/** Where the `await` is in the one line of a file of courier that ends so, as `examples/courier/…:LINE:COLUMN`. */
export function awaitIn(file: string, end: string): string {
  const lines = readFileSync(new URL(file, import.meta.url), "utf8").split("\n");
  const found = lines.flatMap((line, n) =>
    line.endsWith(end) ? [`${n + 1}:${line.indexOf("await") + 1}`] : [],
  );
  see(found.length, 1, `how many lines of ${file} end with ${JSON.stringify(end)}`);
  return `examples/courier/${file}:${found[0]}`;
}

/** Tells what is claimed, and what was seen of it; counts both. */
export class Story {
  claims = 0;

  chapter(title: string): void {
    console.log(`\n${title}`);
  }

  note(words: string): void {
    console.log(`  – ${words}`);
  }

  /** A claim holds if `observe` returns; its words say what was seen. */
  async claim(claim: string, observe: () => string | Promise<string>): Promise<void> {
    try {
      const evidence = await observe();
      this.claims++;
      console.log(`  ✓ ${claim}\n      ${evidence}`);
    } catch (error) {
      console.log(`  ✗ ${claim}`);
      throw error;
    }
  }
}

/** Throws unless what was expected was seen. */
export function see(actual: unknown, expected: unknown, what: string): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) throw new Error(`${what}: expected ${e}, saw ${a}`);
}
