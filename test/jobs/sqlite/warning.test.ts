import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

import { runsSources } from "./opened.ts";

const engine = new URL("../../../src/jobs/sqlite/index.ts", import.meta.url).href;
const clock = new URL("../../../src/jobs/engine-clock.ts", import.meta.url).href;

test("opening says nothing of an experiment, and silences nothing else", async () => {
  const program = `
    const { sqlite } = await import(${JSON.stringify(engine)});
    const { engineClock } = await import(${JSON.stringify(clock)});
    const context = { worker: "w", lease: 1000, work: true, wake() {}, onTrouble() {}, clock: engineClock };
    const store = await sqlite(":memory:").open(context);
    process.emitWarning("another one");
    await store.close();`;
  const child = spawn(process.execPath, [...runsSources, "--input-type=module", "--eval", program]);
  const [stderr] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect(stderr).toContain("another one");
  expect(stderr).not.toContain("SQLite");
});
