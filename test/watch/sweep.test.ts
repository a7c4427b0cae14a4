import { describe, expect, test } from "vitest";
import { watch } from "../../src/index.ts";
import type { FindingEvent, Scope, TaskContext, WatchOptions } from "../../src/index.ts";
import { forever, turn, useStage } from "../core/stage.ts";

const stage = useStage();

/** Opens a root with a watch that takes no dumps; what it finds is collected. */
function watched(options: WatchOptions = {}): { app: Scope; found: FindingEvent[] } {
  const app = stage.open();
  const found: FindingEvent[] = [];
  watch(app, { linesEvery: false, lost: false, blockAfter: false, ...options });
  app.on("finding", (event) => found.push(event));
  return { app, found };
}

const kinds = (found: readonly FindingEvent[]): string[] =>
  found.map(({ finding, path }) => `${finding} ${path}`);

/** Runs for as long as nobody stops it. */
const long = (task: TaskContext): Promise<void> => task.sleep("365d");

/** So many tasks of a name, each so long. */
async function history(app: Scope, name: string, count: number, ms: number): Promise<void> {
  for (let i = 0; i < count; i++) app.spawn(name, (task) => task.sleep(ms));
  await stage.clock.advance(ms + 1);
}

describe("5.1 overdue", () => {
  test("longer than 10 times the p99 of its name, once there are 30 samples, said once", async () => {
    const { app, found } = watched();
    await history(app, "mail", 30, 1500);
    app.spawn("mail", long);
    // 99 of 100 take less than 2,048 ms, as far as the histogram knows.
    await stage.clock.advance("20s");
    expect(found).toEqual([]);
    await stage.clock.advance("2s");
    expect(kinds(found)).toEqual(["overdue app/mail"]);
    expect(found[0]).toMatchObject({ task: { name: "mail" }, ms: 20_499 });
    expect(found[0]?.text).toBe(
      "app/mail has been running for 20 s, and 99 of 100 mail take less than 2 s: " +
        "give it a timeout, or say what it may take with `expect`",
    );
    await stage.clock.advance("10m");
    expect(found).toHaveLength(1);
  });

  test("nothing is said of a name with fewer samples, nor of a task that is young", async () => {
    const { app, found } = watched();
    await history(app, "rare", 29, 1);
    await history(app, "quick", 100, 1);
    app.spawn("rare", long);
    app.spawn("quick", long);
    await stage.clock.advance("9s");
    expect(found).toEqual([]);
    await stage.clock.advance("10m");
    expect(kinds(found)).toEqual(["overdue app/quick"]);
  });

  test("longer than it expects, however young", async () => {
    const { app, found } = watched();
    app.spawn("report", long, { expect: "3s" });
    await stage.clock.advance("3s");
    expect(found).toEqual([]);
    await stage.clock.advance("1s");
    expect(found[0]?.text).toContain("has been running for 4 s, and it was expected to take 3 s");
  });

  test("services and schedules live long, and are not overdue", async () => {
    const { app, found } = watched();
    await history(app, "poll", 100, 1);
    app.service("poll", long);
    await stage.clock.advance("10m");
    expect(found).toEqual([]);
  });
});

describe("5.2 growing", () => {
  test("more in 5 windows in a row, and many: said once, with the oldest", async () => {
    const { app, found } = watched();
    const more = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) app.spawn("leak", long, { attributes: { i } });
      await stage.clock.advance("1m");
    };
    for (let window = 0; window < 5; window++) await more(30);
    expect(found).toEqual([]);
    await more(30);
    expect(kinds(found)).toEqual(["growing app/leak"]);
    expect(found[0]?.task?.attributes).toEqual({ i: 0 });
    expect(found[0]?.text).toMatch(/is the oldest of 1\d\d tasks of its name, which were 30 5 min ago/);
    for (let window = 0; window < 5; window++) await more(30);
    expect(found).toHaveLength(1);
  });

  test("few, or such as come and go, are none", async () => {
    const { app, found } = watched();
    for (let window = 0; window < 10; window++) {
      app.spawn("few", long);
      for (let i = 0; i < 200; i++) app.spawn("busy", (task) => task.sleep("90s"));
      await stage.clock.advance("1m");
    }
    expect(found).toEqual([]);
  });
});

test("5.4 unresponsive comes from the core, also where a watch is", async () => {
  const { app, found } = watched();
  const task = app.spawn("stubborn", () => forever());
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("5s");
  expect(kinds(found)).toEqual(["unresponsive app/stubborn"]);
});

describe("the watch", () => {
  test("keeps the newest 100 findings, the newest first", async () => {
    const app = stage.open();
    const watching = watch(app, { linesEvery: false, blockAfter: false });
    for (let i = 0; i < 101; i++) app.spawn(`t${i}`, long, { expect: "1s" });
    await stage.clock.advance("3s");
    expect(watching.findings()).toHaveLength(100);
    watching.stop();
  });

  test("looks no more when it is stopped, and when its scope is closed", async () => {
    const { app, found } = watched();
    app.spawn("a", long, { expect: "1s" });
    await app.cancel();
    await stage.clock.advance("10s");
    expect(found).toEqual([]);
    const other = stage.open("other");
    const watching = watch(other, { linesEvery: false, blockAfter: false });
    watching.stop();
    const again = watch(other, { linesEvery: false, blockAfter: false });
    other.spawn("b", long, { expect: "1s" });
    await stage.clock.advance("3s");
    expect(watching.findings()).toEqual([]);
    expect(kinds(again.findings())).toEqual(["overdue other/b"]);
    again.stop();
  });

  test("is one for each root, and over roots only", () => {
    const { app } = watched();
    expect(() => watch(app)).toThrow(expect.objectContaining({ code: "HF_ALREADY_WATCHED" }));
    expect(() => watch(app.scope("inner"))).toThrow(/expected a root scope/);
  });

  test.each([
    [{ sweep: 0 }, /sweep is 0: expected 1 ms or more/],
    [{ sweep: "soon" as never }, /sweep is "soon"/],
    [{ overdue: { factor: 0.5 } }, /overdue.factor is 0.5/],
    [{ growing: { windows: 0 } }, /growing.windows is 0/],
    [{ adriftAfter: -1 }, /adriftAfter is -1/],
  ] satisfies [WatchOptions, RegExp][])("refuses %o", (options, words) => {
    expect(() => watch(stage.open(), options)).toThrow(words);
  });
});

describe("lines", () => {
  test("are asked for once in a while, and come with the finding of the task that waits there", async () => {
    // The real thing, over the real process: see test/scenarios/watch.
    const app = stage.open();
    const watching = watch(app, { blockAfter: false });
    const found: FindingEvent[] = [];
    app.on("finding", (event) => found.push(event));
    app.spawn("a", long, { expect: "1s" });
    app.spawn("b", long, { expect: "1s" });
    await stage.clock.advance("3s");
    while (found.length < 2) await turn();
    expect(kinds(found)).toEqual(["overdue app/b", "overdue app/a"]);
    watching.stop();
  });
});
