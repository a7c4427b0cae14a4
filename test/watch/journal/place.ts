import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ownIdentity } from "../../../src/watch/journal/identity.ts";
import { toLine } from "../../../src/watch/journal/format.ts";
import type { Flush, Header } from "../../../src/watch/journal/format.ts";

/** A folder for journals, gone after the test. */
export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "holdfast-journal-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** The one journal in a folder. */
export function onlyFile(inside: string): string {
  const files = readdirSync(inside).filter((name) => name.endsWith(".journal"));
  if (files.length !== 1) throw new Error(`${files.length} journals`);
  return join(inside, files[0] ?? "");
}

export function linesOf(file: string): Record<string, unknown>[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** No process has this pid: above what the kernel gives. */
export const NOBODY = 4_194_305;

/** The text of a journal of a process that is gone. */
export function journalOf(header: Partial<Header>, ...flushes: readonly Flush[]): string {
  const whole: Header = {
    holdfast: "journal",
    v: 1,
    name: "courier",
    startedAt: 1_764_165_787_000,
    node: "24.0.0",
    ...ownIdentity(),
    pid: NOBODY,
    ...header,
  };
  return [whole, ...flushes].map(toLine).join("");
}
