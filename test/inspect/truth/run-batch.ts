import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readDump } from "../../../src/inspect/reading.ts";
import { writeBatch } from "./batch.ts";
import type { Batch } from "./batch.ts";
import { compare, compareStacks } from "./compare.ts";
import type { Captured } from "./compare.ts";

/** What came of a batch. */
export interface Outcome {
  /** Empty where dump, truth and V8 agree. */
  readonly differences: readonly string[];
  readonly functions: number;
  /** Frames of V8's own stacks that were compared. */
  readonly frames: number;
  readonly features: ReadonlyMap<string, number>;
}

/** A program that goes round for ever once it goes on would never answer. */
const MAX_DURATION = 30_000;
/** The main thread's and the worker's. */
const THREADS = 2;
/** A process that has just started may still collect or compile: it is read again until nothing changes. */
const MAX_READINGS = 40;

/** Runs a batch on a Node, dumps it when all of it is suspended, and compares. */
export async function runBatch(batch: Batch, node: string): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-truth-"));
  try {
    const truth = writeBatch(batch, folder);
    const child = spawn(node, [join(folder, "main.cjs")], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      const lines = linesOf(child.stdout);
      await until(lines, "ready", 1);
      const { functions, isSure } = await readIdle(child.pid as number);
      const hung = setTimeout(() => child.kill("SIGKILL"), MAX_DURATION);
      child.stdin.on("error", () => {});
      child.stdin.write("go\n");
      const captured = (await until(lines, "captured ", THREADS)).flatMap(
        (text) => JSON.parse(text) as Captured[],
      );
      clearTimeout(hung);
      const stacks = compareStacks(functions, captured, truth);
      return {
        differences: [
          ...(isSure ? [] : ["it did not come to rest"]),
          ...compare(functions, truth),
          ...stacks.lines,
        ],
        functions: truth.nodes.length,
        frames: stacks.frames,
        features: truth.features,
      };
    } finally {
      child.kill("SIGKILL");
    }
  } finally {
    if (process.env["HOLDFAST_KEEP"] === undefined) rmSync(folder, { recursive: true });
  }
}

async function readIdle(pid: number) {
  for (let turn = 1; ; turn++) {
    const { functions } = readDump(pid).graph;
    const isSure = functions.every(({ isChanging }) => !isChanging);
    if (isSure || turn === MAX_READINGS) return { functions, isSure };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const chunk of stream) {
    text += String(chunk);
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
  return undefined;
}

/** What follows the word in so many lines that begin with it. */
async function until(
  lines: AsyncGenerator<string, undefined>,
  word: string,
  count: number,
): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`the process ended before it said "${word}"`);
    if (value.startsWith(word)) found.push(value.slice(word.length));
  }
  return found;
}
