import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";

import { CountLine } from "./scripts/count-line.ts";
import { LongestFirst } from "./scripts/longest-first.ts";

// Processes of tests keep their crash journals where nobody of this machine looks for his own.
const state = mkdtempSync(join(tmpdir(), "holdfast-state-"));
process.env["XDG_STATE_HOME"] = state;
process.on("exit", () => rmSync(state, { recursive: true, force: true }));

type ProjectConfig = NonNullable<TestProjectInlineConfiguration["test"]>;

const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** Kinds of tests: `npx vitest run --project unit` runs one kind. */
const kind = (name: string, include: string[], timeout: number, more: ProjectConfig = {}) => ({
  extends: true as const,
  test: { name, include, exclude: never, testTimeout: timeout, hookTimeout: timeout, ...more },
});

const never = ["**/node_modules/**", "**/fixtures/**"];
const property = "test/**/*.property.test.ts";
const scenario = ["test/scenarios/**/*.test.ts", "test/cli/**/*.test.ts"];
const inspector = "test/inspect/**/*.test.ts";
const long = "test/long/**/*.test.ts";
const engines = "test/jobs/postgres/**/*.test.ts";
const consumers = ["test/consumers/**/*.test.ts", "test/house/readme.test.ts"];

export default defineConfig({
  resolve: {
    // Tests that reach `holdfast` through an example get the sources, like the tests themselves: two copies of the
    // library in one process would be two worlds.
    alias: [
      { find: /^holdfast$/, replacement: source("index.ts") },
      { find: /^holdfast\/fastify$/, replacement: source("adapters/fastify.ts") },
      { find: /^holdfast\/inspect$/, replacement: source("inspect/index.ts") },
      { find: /^holdfast\/jobs$/, replacement: source("jobs/index.ts") },
      { find: /^holdfast\/jobs\/conformance$/, replacement: source("jobs/conformance/index.ts") },
      { find: /^holdfast\/jobs\/postgres$/, replacement: source("jobs/postgres/index.ts") },
      { find: /^holdfast\/jobs\/sqlite$/, replacement: source("jobs/sqlite/index.ts") },
      { find: /^holdfast\/testing$/, replacement: source("testing/index.ts") },
    ],
  },
  test: {
    projects: [
      kind("unit", ["test/**/*.test.ts"], 10_000, {
        exclude: [...never, property, ...scenario, inspector, long, engines, ...consumers],
      }),
      kind("property", [property], 300_000, { exclude: [...never, inspector] }),
      kind("inspector", [inspector], 60_000, { globalSetup: ["test/inspect/setup.ts"] }),
      kind("engines", [engines], 90_000, {
        globalSetup: ["test/jobs/postgres/setup.ts"],
        maxConcurrency: 16,
      }),
      kind("scenario", scenario, 90_000, { globalSetup: ["test/scenarios/setup.ts"] }),
      kind("consumers", consumers, 180_000, { globalSetup: ["test/consumers/setup.ts"] }),
      // Minutes of waiting, most of it: `npm run test:long`.
      ...(process.env["HOLDFAST_LONG"] === undefined
        ? []
        : [kind("long", [long], 900_000, { globalSetup: ["test/scenarios/setup.ts"] })]),
    ],
    pool: "forks",
    // Vitest leaves one core to itself; on two cores that would be half of the machine.
    maxWorkers: availableParallelism(),
    execArgv: [
      "--expose-gc",
      // Each thread that a test starts from the sources strips their types with a WebAssembly of its own. V8 13.6 shares
      // what it compiles for their calls between threads, and was seen to free it twice (TierUpWasmToJSWrapper; see
      // https://github.com/nodejs/node/issues/64500), by which a whole file of tests was lost. So it compiles none.
      "--wasm-wrapper-tiering-budget=1000000000",
    ],
    reporters: ["default", new CountLine()],
    sequence: { sequencer: LongestFirst },
    passWithNoTests: false,
  },
});
