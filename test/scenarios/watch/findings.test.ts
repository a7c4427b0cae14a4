import { describe, expect, test } from "vitest";
import type { FindingEvent } from "../../../src/index.ts";
import { Child, placeOf } from "../process/child.ts";

const found = (child: Child): FindingEvent =>
  JSON.parse(/^found (.*)$/m.exec(child.stdout)?.[1] ?? "{}") as FindingEvent;

describe("the watch of main()", () => {
  test("says which task holds the event loop, and at which line", async () => {
    const child = await Child.at(/^found (.*)$/m, "one that holds the loop for a while");
    const event = found(child);
    expect(event).toMatchObject({ type: "finding", finding: "blocked", path: "demo/hog" });
    expect(event.stack?.split("\n")[0]).toMatch(/^at hog \(.*stories\.ts:\d+:\d+\)$/);
    expect(event.ms).toBeGreaterThanOrEqual(200);
    expect((await child.endBy("SIGTERM")).code).toBe(0);
    // The session by which it looked is closed: Node does not wait for a debugger at the end.
    expect(child.stderr.trim().split("\n")).toHaveLength(1);
  });

  test.skipIf(process.platform !== "linux")(
    "names the line at which a task waits that takes too long",
    async () => {
      const child = await Child.at(/^found (.*)$/m, "one that takes too long");
      const event = found(child);
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
