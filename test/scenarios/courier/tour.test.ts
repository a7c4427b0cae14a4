import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { run } from "./process.ts";

/** What a page shows of the tour: the lines of its text block with this in it, without what differs each time. */
function shownIn(page: string, what: string): string[] {
  const text = readFileSync(new URL(`../../../${page}`, import.meta.url), "utf8");
  const block = text.split("```text\n").find((part) => part.split("```")[0]?.includes(what));
  return toLines(block?.split("```")[0] ?? "");
}

function toLines(text: string): string[] {
  const same = text.replaceAll(/(?<=dump )\d+|\d+(?= deliveries)|(?<=request )req-\w+/g, "N");
  return same.split("\n").flatMap((line) => (line.trim() === "" ? [] : [line.trim()]));
}

test("the tour sees all that it claims, in under a minute, and ends with 0, and the pages show what it prints", async () => {
  const began = performance.now();
  const tour = run("tour.ts");
  const { code } = await tour.exit;
  const text = tour.lines.join("\n");
  expect(text).toMatch(/All \d+ claims were seen to be true/);
  expect(text).not.toContain("✗");
  const claims = tour.lines.filter((line) => line.startsWith("  ✓ "));
  expect(text).toContain(`All ${claims.length} claims`);
  expect(claims.length).toBeGreaterThanOrEqual(33);
  expect(text).toMatch(/^ {6}200 of 200, [\d.]+ s after the start;/m);
  expect(text).toContain("  ✓ the dump names the line on which each of them waits for the other\n");
  expect(text).toMatch(/^ +statement +examples\/courier\/mistake\.ts:\d+:\d+\n.*\/\/ archive has them$/m);
  for (const page of ["README.md", "examples/courier/README.md"]) {
    const shown = shownIn(page, "background/books");
    expect(shown.length, page).toBeGreaterThan(8);
    expect(toLines(text), page).toEqual(expect.arrayContaining(shown));
  }
  const counted = (lines: string[]): string[] => lines.map((line) => line.replaceAll(/\d+(\.\d+)?/g, "N"));
  const shown = counted(shownIn("README.md", "in the middle of 200"));
  expect(shown.length).toBeGreaterThan(9);
  expect(counted(toLines(text))).toEqual(expect.arrayContaining(shown));
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
  [
    "no task is stuck",
    { COURIER_MISTAKE: "mended" },
    "the dump names the line on which each of them waits for the other",
  ],
])("the tour fails, with the claim it could not see, where %s", async (_what, env, claim) => {
  const tour = run("tour.ts", [], env);
  const { code } = await tour.exit;
  const text = tour.lines.join("\n");
  expect(text).toContain(`  ✗ ${claim}\n`);
  expect(text).not.toContain("claims were seen to be true");
  expect(code).toBe(1);
});
