import { expect, test } from "vitest";

import { countLine } from "../../scripts/count-line.ts";

test("the line that closes a run names the skipped ones only where there are any", () => {
  expect(countLine({ passed: 412, failed: 0, skipped: 0 })).toBe("412 passed, 0 failed");
  expect(countLine({ passed: 1, failed: 2, skipped: 3 })).toBe("1 passed, 2 failed, 3 skipped");
});
