import { expect, test } from "vitest";

import { run } from "./process.ts";

test("the tour sees all that it claims, in under a minute, and ends with 0", async () => {
  const began = performance.now();
  const tour = run("tour.ts");
  const { code } = await tour.exit;
  const text = tour.lines.join("\n");
  expect(text).toMatch(/All \d+ claims were seen to be true/);
  expect(text).not.toContain("✗");
  const claims = tour.lines.filter((line) => line.startsWith("  ✓ "));
  expect(text).toContain(`All ${claims.length} claims`);
  expect(claims.length).toBeGreaterThanOrEqual(20);
  expect(code).toBe(0);
  expect(performance.now() - began).toBeLessThan(60_000);
});

// The tour is itself a test: where courier does not do what it says, it has to say so.
test.each([
  ["a delivery is not tried again", { COURIER_ATTEMPTS: "1" }, "flaky refused it twice, and was asked again"],
  [
    "an endpoint is called too often",
    { COURIER_PER_ENDPOINT: "5" },
    "an endpoint is never called more than four at a time",
  ],
])("the tour fails, with the claim it could not see, where %s", async (_what, env, claim) => {
  const tour = run("tour.ts", [], env);
  const { code } = await tour.exit;
  const text = tour.lines.join("\n");
  expect(text).toContain(`  ✗ ${claim}\n`);
  expect(text).not.toContain("claims were seen to be true");
  expect(code).toBe(1);
});
