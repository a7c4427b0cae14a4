import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { GuardAnswer } from "../../src/process/guard-thread.ts";
import { Guard } from "../../src/process/guard.ts";
import { useManualClock, type ManualClock } from "../../src/testing/index.ts";

// What the guard's thread would do is done by the tests.
const threads: EventEmitter[] = [];
vi.mock("node:worker_threads", () => ({
  Worker: class extends EventEmitter {
    constructor() {
      super();
      threads.push(this);
      queueMicrotask(() => this.emit("message", { hears: true } satisfies GuardAnswer));
    }
    postMessage(): void {}
    unref(): void {}
    terminate(): void {}
  },
}));

const linesAt = (file: string): Extract<GuardAnswer, { lines: unknown }>["lines"] => [
  { id: 1, path: "app/mail", awaiting: [{ file, line: 1, column: 1, function: "send" }] },
];
const [generated, original] = [linesAt("/app/dist/all.js"), linesAt("/app/src/mail.ts")];

let clock: ManualClock;
let guard: Guard;
beforeEach(async () => {
  clock = useManualClock();
  guard = await Guard.start({ signals: [], within: 1000, apart: 500, words: {}, tail: 1000 });
});
afterEach(async () => {
  await guard.stop();
  clock.uninstall();
});
const answer = (message: GuardAnswer): void => void threads.at(-1)?.emit("message", message);

test("lines that went through source maps are worth waiting for", async () => {
  const lines = guard.untilLines(1000);
  answer({ lines: generated, isLast: false });
  await clock.advance(999);
  answer({ lines: original, isLast: true });
  expect(await lines).toEqual(original);
  expect(await guard.untilLines(1000)).toEqual(original);
});

test("where they do not come in time, those of the files that run are there", async () => {
  const lines = guard.untilLines(1000);
  answer({ lines: generated, isLast: false });
  await clock.advance(1000);
  expect(await lines).toEqual(generated);
});

test("... also where these came before anybody asked", async () => {
  answer({ lines: generated, isLast: false });
  const lines = guard.untilLines(1000);
  await clock.advance(1000);
  expect(await lines).toEqual(generated);
});

test("where none come there are none", async () => {
  const lines = guard.untilLines(1000);
  await clock.advance(1000);
  expect(await lines).toEqual([]);
});
