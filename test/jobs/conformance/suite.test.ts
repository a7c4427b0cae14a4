import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

import { engineCases, type EngineHarness } from "../../../src/jobs/conformance/index.ts";
import { memoryHarness } from "./memory-harness.ts";

const harness = memoryHarness();
const cases = engineCases(harness);

describe("the reference engine passes every case", () => {
  test.each(cases.map((one) => [`${one.group}: ${one.name}`, one] as const))("%s", async (_, one) => {
    expect(one.skip).toBeUndefined();
    await one.run(harness);
  });
});

test("names are unique: they are how a case is told from others", () => {
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  expect(cases.length).toBeGreaterThan(60);
});

test("cases run at the same time, each on a store of its own", async () => {
  await Promise.all(cases.map(({ run }) => run(harness)));
});

test("the cases run under the test runner of Node as well, and it tells why one is skipped", async () => {
  const file = fileURLToPath(new URL("fixtures/on-node-test.ts", import.meta.url));
  const flags = ["--experimental-strip-types", "--no-warnings", "--test-reporter=tap"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, file]);
  expect(stdout).toContain(`# pass ${cases.length - 1}`);
  expect(stdout).toContain("# SKIP the engine says that it cannot: rates");
  expect(stdout).toContain("# fail 0");
});

describe("what cannot be asked is skipped, and says why", () => {
  const skipped = (of: Parameters<typeof engineCases>[0]): (string | undefined)[] =>
    engineCases(of).flatMap(({ skip }) => skip ?? []);

  test("of the engine", () => {
    const capabilities = { ...harness.capabilities, rates: false, replace: false };
    const reasons = new Set(skipped({ ...harness, capabilities }));
    expect(reasons).toEqual(
      new Set(["the engine says that it cannot: rates", "the engine says that it cannot: replace"]),
    );
  });

  test("of the harness", () => {
    const reasons = new Set(skipped({ ...harness, offers: [] }));
    expect(reasons).toEqual(
      new Set([
        "the harness does not offer: crash",
        "the harness does not offer: jumpWall",
        "the harness does not offer: transaction",
      ]),
    );
  });

  test("an engine that can nothing but what it must has most cases all the same", () => {
    const none = {
      transactions: false,
      concurrencyKeys: false,
      rates: false,
      replace: false,
      ordered: false,
    };
    const all = engineCases({ capabilities: { ...none, minLease: 1 }, offers: [] });
    expect(all.filter(({ skip }) => skip === undefined).length).toBeGreaterThan(45);
  });
});

describe("a harness that is wrong is told so", () => {
  const run = (wrong: Partial<EngineHarness>, start: string): Promise<void> | undefined =>
    cases.find(({ name }) => name.startsWith(start))?.run({ ...harness, ...wrong });

  test("it offers what its benches have not", async () => {
    const create: EngineHarness["create"] = async () => {
      const { crash: _, ...bench } = await harness.create();
      return bench;
    };
    await expect(run({ create }, "what was acknowledged survives")).rejects.toThrow(
      "the harness offers crash",
    );
  });

  test("it says of the engine what that does not say of itself", async () => {
    const capabilities = { ...harness.capabilities, rates: false };
    await expect(run({ capabilities }, "stats")).rejects.toThrow("the harness says what the engine says");
  });

  test("its engine tells of trouble where there is none", async () => {
    const create: EngineHarness["create"] = async () => {
      const bench = await harness.create();
      const open: ReturnType<typeof bench.engine>["open"] = (context) => {
        context.onTrouble(new Error("a cable"));
        return bench.engine().open(context);
      };
      return { ...bench, engine: () => ({ ...bench.engine(), open }) };
    };
    await expect(run({ create }, "stats")).rejects.toThrow("onTrouble was called");
  });

  test("a store is destroyed, and its openings are closed, whether the case passed or not", async () => {
    let openings = 0;
    let destroyed = 0;
    const create: EngineHarness["create"] = async () => {
      const bench = await harness.create();
      const open: ReturnType<typeof bench.engine>["open"] = async (context) => {
        openings++;
        const store = await bench.engine().open(context);
        return Object.assign(Object.create(store) as typeof store, {
          close: async () => {
            openings--;
            await store.close();
          },
          stats: () => Promise.reject(new Error("no stats")),
        });
      };
      return {
        ...bench,
        engine: () => ({ ...bench.engine(), open }),
        destroy: () => Promise.resolve(void destroyed++),
      };
    };
    await expect(run({ create }, "stats")).rejects.toThrow("no stats");
    await run({ create }, "a key that is taken joins");
    expect([openings, destroyed]).toEqual([0, 2]);
  });
});
