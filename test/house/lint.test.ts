import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Lints one file, put at `path` in an empty house with our rules, and returns `rule:line` of all that was found. */
async function lint(path: string, lines: string[]): Promise<string[]> {
  const house = mkdtempSync(join(tmpdir(), "holdfast-lint-"));
  onTestFinished(() => rmSync(house, { recursive: true, force: true }));
  for (const name of ["package.json", "tsconfig.json", ".oxlintrc.json", "scripts/lint"]) {
    cpSync(join(root, name), join(house, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(house, "node_modules"), "dir");
  mkdirSync(join(house, path, ".."), { recursive: true });
  writeFileSync(join(house, path), `${lines.join("\n")}\n`);
  const args = [join(root, "node_modules/oxlint/bin/oxlint"), "--format", "json", "src"];
  const { stdout } = await run(process.execPath, args, { cwd: house }).catch(
    (error: unknown) => error as { stdout: string },
  );
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; labels: { span: { line: number } }[] }[];
  };
  return diagnostics.map(({ code, labels }) => `${code}:${labels[0]?.span.line ?? 0}`).toSorted();
}

const rawTime = [
  `export { setTimeout } from "node:timers/promises";`,
  `export { performance } from "node:perf_hooks";`,
  `export const a = (): number => Date.now();`,
  `export const b = (): number => globalThis.performance.now();`,
  `export const c = (): Date => new Date();`,
  `export const d = (): unknown => setTimeout(a, 1);`,
  `export const e = (): unknown => globalThis.setInterval(a, 1);`,
  `export const f = [setImmediate];`,
  `export const g = (): Promise<unknown> => import("node:timers");`,
  `export const h = (): unknown => process.hrtime.bigint();`,
];

test("raw timers and clocks are errors in src, each of them", async () => {
  expect(await lint("src/core/task.ts", rawTime)).toEqual(
    rawTime.map((_, line) => `house(one-clock):${line + 1}`).toSorted(),
  );
});

test("raw timers and clocks are allowed in the clock", async () => {
  expect(await lint("src/core/clock.ts", rawTime)).toEqual([]);
});

test("what only looks like a clock is allowed", async () => {
  expect(
    await lint("src/core/task.ts", [
      `const setTimeout = (): number => 1;`,
      `export const a = (options: { setInterval: number }): number => options.setInterval + setTimeout();`,
      `export const b = (x: unknown): unknown => (x instanceof Date ? x.getTime() : new Date(5));`,
      `export const c = (clock: { now: () => number }): number => clock.now();`,
    ]),
  ).toEqual([]);
});

test("floating promises, any, empty catches, star exports, top-level await and long files are errors in src", async () => {
  expect(
    await lint("src/core/task.ts", [
      `export * from "node:async_hooks";`,
      `export function a(): void { Promise.resolve(1); }`,
      `export const b = (x: any): unknown => x;`,
      `export function c(): void { try { a(); } catch {} }`,
      `await Promise.resolve(1);`,
      ...Array.from({ length: 400 }, (_, line) => `export const x${line} = ${line};`),
    ]),
  ).toEqual([
    "eslint(max-lines):405",
    "eslint(no-empty):4",
    "house(no-export-star):1",
    "node(no-top-level-await):5",
    "typescript(no-explicit-any):3",
    "typescript(no-floating-promises):2",
  ]);
});
