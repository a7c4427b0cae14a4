import { describe, inject, test } from "vitest";

import { engineCases } from "../../../src/jobs/conformance/index.ts";
import { postgresHarness } from "./bench.ts";

const url = inject("postgresUrl");
const harness = postgresHarness(url);

// Most of the time of a case is a lease that passes: they run side by side.
describe.skipIf(url === "")("the engine on Postgres passes every case", () => {
  for (const { name, group, skip, run } of engineCases(harness))
    test.concurrent(`${group}: ${name}`, { skip: skip !== undefined, timeout: 80_000 }, () => run(harness));
});
