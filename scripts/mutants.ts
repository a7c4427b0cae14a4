import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS, type Mutant } from "../test/mutants/mutants.ts";

/*
 * Are the property tests worth anything? Each mutant is the core with one line broken; the property tests of the core
 * run against a copy of it and must fail. The working tree is never touched.
 *
 *   npm run test:mutants              all of them
 *   npm run test:mutants -- slot key  those whose name has one of these words
 */

const home = fileURLToPath(new URL("..", import.meta.url));
const suite = "test/core/properties";
/** What a copy of the repository needs to run the suite. */
const needed = [
  "src",
  suite,
  "scripts/count-line.ts",
  "scripts/longest-first.ts",
  "vitest.config.ts",
  "tsconfig.json",
  "package.json",
];
/** A mutant that makes the core spin for ever is killed too, by hand. Longer than the suite takes on a busy machine. */
const PATIENCE = 900_000;

interface Verdict {
  readonly name: string;
  readonly kind: "killed" | "survived" | "broken";
  readonly why: string;
  readonly seconds: number;
}

interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Copies the repository, breaks one line of it, and runs the suite. Without a mutant: the control. */
async function judge(work: string, mutant: Mutant | undefined): Promise<Verdict> {
  const name = mutant?.name ?? "none (control)";
  const began = performance.now();
  const verdict = (kind: Verdict["kind"], why: string): Verdict => {
    const seconds = Math.round((performance.now() - began) / 1000);
    return { name, kind, why, seconds };
  };
  const copy = await mkdtemp(join(work, "copy-"));
  for (const path of needed) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await cp(join(home, path), join(copy, path), { recursive: true });
  }
  await symlink(join(home, "node_modules"), join(copy, "node_modules"));
  if (mutant !== undefined) {
    const file = join(copy, mutant.file);
    const source = await readFile(file, "utf8");
    const times = source.split(mutant.find).length - 1;
    if (times !== 1)
      return verdict("broken", `what it replaces is ${times} times in ${mutant.file}, not once`);
    await writeFile(
      file,
      source.replace(mutant.find, () => mutant.replace),
    );
  }
  const output = join(copy, "report.json");
  const isOver = await run(copy, output);
  if (!isOver) return verdict("killed", "the suite never ended");
  const text = await readFile(output, "utf8").catch(() => undefined);
  await rm(copy, { recursive: true, force: true });
  if (text === undefined) return verdict("broken", "the suite wrote no report");
  const report = JSON.parse(text) as Report;
  if (report.numFailedTests > 0) return verdict("killed", reasonIn(report));
  const broken = report.testResults.find(({ message }) => message !== "");
  if (broken !== undefined || report.numPassedTests === 0) {
    return verdict("broken", `the suite did not run: ${broken?.message.split("\n")[0] ?? "no test"}`);
  }
  return verdict("survived", `${report.numPassedTests} tests passed`);
}

/** The first invariant that did not hold; else the first line of the first failure. */
function reasonIn(report: Report): string {
  const failures = report.testResults.flatMap(({ assertionResults }) =>
    assertionResults.flatMap(({ failureMessages }) => failureMessages ?? []),
  );
  const lines = failures.flatMap((failure) => failure.split("\n"));
  return lines.find((line) => line.startsWith("invariant")) ?? lines[0] ?? "";
}

/** Runs the suite in a copy. False: it had to be stopped. */
function run(copy: string, output: string): Promise<boolean> {
  const vitest = join(home, "node_modules/vitest/vitest.mjs");
  const options = [
    "--project",
    "property",
    "--bail",
    "1",
    "--maxWorkers",
    "1",
    "--reporter",
    "json",
    "--outputFile",
    output,
  ];
  const child = spawn(process.execPath, [vitest, "run", suite, ...options], {
    cwd: copy,
    stdio: "ignore",
    detached: true,
    env: { ...process.env, HOLDFAST_BAIL: "1", HOLDFAST_COUNT_FILE: "" },
  });
  return new Promise((resolve) => {
    let isOver = true;
    const timer = setTimeout(() => {
      isOver = false;
      // The group: the suite runs in processes of its own.
      process.kill(-(child.pid as number), "SIGKILL");
    }, PATIENCE);
    child.on("close", () => {
      clearTimeout(timer);
      resolve(isOver);
    });
  });
}

const words = process.argv.slice(2);
const chosen =
  words.length === 0 ? MUTANTS : MUTANTS.filter(({ name }) => words.some((word) => name.includes(word)));
const work = await mkdtemp(join(tmpdir(), "holdfast-mutants-"));
const verdicts: Verdict[] = [];
const queue: (Mutant | undefined)[] = [...chosen, undefined];
const worker = async (): Promise<void> => {
  while (queue.length > 0) {
    const verdict = await judge(work, queue.shift());
    verdicts.push(verdict);
    console.log(
      `${verdict.kind.padEnd(9)} ${`${verdict.seconds} s`.padStart(6)}  ${verdict.name}: ${verdict.why}`,
    );
  }
};
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, worker));
await rm(work, { recursive: true, force: true });

const control = verdicts.find(({ name }) => name.startsWith("none"));
const killed = verdicts.filter(({ kind, name }) => kind === "killed" && name !== control?.name).length;
const isClean = control?.kind === "survived";
console.log(
  `${killed} of ${chosen.length} mutants killed; without a mutant the suite ${isClean ? "passes" : "FAILS"}`,
);
if (killed < chosen.length || !isClean) process.exitCode = 1;
