import { describe, expect, test } from "vitest";
import type { FindingEvent } from "../../../src/index.ts";
import { Child, placeOf } from "../process/child.ts";

describe("the watch of main()", () => {
  test.skipIf(process.platform !== "linux")(
    "names the line at which a task waits that takes too long",
    async () => {
      const child = await Child.at(/^found (.*)$/m, "one that takes too long");
      const event = JSON.parse(/^found (.*)$/m.exec(child.stdout)?.[1] ?? "{}") as FindingEvent;
      expect(event).toMatchObject({
        type: "finding",
        finding: "overdue",
        path: "demo/stuck",
        awaiting: [{ ...placeOf("await forever;"), function: "hang" }],
      });
      expect(event.ms).toBeGreaterThanOrEqual(100);
      expect((await child.endBy("SIGTERM")).code).toBe(1);
    },
  );
});
