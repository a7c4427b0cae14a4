import { fileURLToPath } from "node:url";

import type { Sample } from "../timing.ts";
import { runNode, type Ended } from "./children.ts";

/** What reader.mjs says of one dump; times in ms. */
export interface Reading extends Sample {
  /** The most memory that the reader has had at once, in bytes. */
  readonly peak: number;
  readonly functions: number;
  readonly changing: number;
  readonly wasIdle: boolean;
}

/** What plain-read.mjs says. */
export interface PlainRead extends Sample {
  readonly bytes: number;
}

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const READER = program("reader.mjs");
const PLAIN = program("plain-read.mjs");
const COMMAND_LINE = program("../../dist/cli/holdfast.cjs");

/** One dump, in a fresh process. */
export async function readOnce(pid: number): Promise<Reading> {
  return JSON.parse((await runNode([READER, String(pid)])).output) as Reading;
}

/** One read of the same memory, in a fresh process. */
export async function readPlainly(pid: number): Promise<PlainRead> {
  return JSON.parse((await runNode([PLAIN, String(pid)])).output) as PlainRead;
}

/** `holdfast dump PID`, from the start of the process to its end. */
export function dumpCommand(pid: number): Promise<Ended> {
  return runNode([COMMAND_LINE, "dump", String(pid)]);
}
