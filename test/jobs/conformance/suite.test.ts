import { describe, expect, test } from "vitest";

import { engineCases } from "../../../src/jobs/conformance/index.ts";
import { memoryHarness } from "./memory-harness.ts";

const harness = memoryHarness();
const cases = engineCases(harness);

describe("the reference engine passes every case", () => {
  test.each(cases.map((one) => [`${one.group}: ${one.name}`, one] as const))("%s", async (_, one) => {
    expect(one.skip).toBeUndefined();
    await one.run(harness);
  });
});
