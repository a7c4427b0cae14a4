import { expect, test } from "vitest";
import { TaskCancelledError } from "../../src/core/index.ts";
import { rejection, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.1 map: results in the order of the items, whoever ends first", async () => {
  const app = stage.open();
  const task = app.map("double", [3, 1, 2], async (item, self) => {
    await self.sleep(item * 100);
    return item * 2;
  });
  await stage.clock.advance("300ms");
  expect(await task).toEqual([6, 2, 4]);
});

test("4.1 map: of an empty iterable is an empty list", async () => {
  const app = stage.open();
  expect(await app.map("none", [], () => 1)).toEqual([]);
});

test("4.1 map: works on 16 items at once", async () => {
  const app = stage.open();
  let running = 0;
  let most = 0;
  const task = app.map(
    "m",
    Array.from({ length: 40 }, (_, n) => n),
    async (_item, self) => {
      most = Math.max(most, ++running);
      await self.sleep("1s");
      running--;
    },
  );
  await stage.clock.advance("10s");
  expect((await task).length).toBe(40);
  expect(most).toBe(16);
});

test("4.1 map: concurrency bounds how many items are worked on at once", async () => {
  const app = stage.open();
  const starts: string[] = [];
  const task = app.map(
    "m",
    ["a", "b", "c"],
    async (item, self) => {
      starts.push(`${item} at ${stage.now()}`);
      await self.sleep("1s");
    },
    { concurrency: 2 },
  );
  await stage.clock.advance("2s");
  await task;
  expect(starts).toEqual(["a at 0", "b at 0", "c at 1000"]);
});

test("4.1 map: takes an async iterable, and no further than it can work", async () => {
  const app = stage.open();
  let taken = 0;
  async function* numbers(): AsyncGenerator<number> {
    for (let n = 0; n < 10; n++) {
      taken++;
      yield n;
    }
  }
  const task = app.map(
    "m",
    numbers(),
    async (n, self) => {
      await self.sleep("1s");
      return n * n;
    },
    { concurrency: 2 },
  );
  await turn();
  expect(taken).toBeLessThanOrEqual(3);
  await stage.clock.advance("10s");
  expect(await task).toEqual([0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
});

test("4.1 map: takes a generator that is infinite only as far as it can work", async () => {
  const app = stage.open();
  let taken = 0;
  function* numbers(): Generator<number> {
    for (;;) yield taken++;
  }
  const task = app.map("m", numbers(), (_n, self) => self.sleep("1h"), { concurrency: 3 });
  await turn();
  expect(taken).toBeLessThanOrEqual(4);
  expect((await task.cancel()).state).toBe("cancelled");
});

test("4.1 map is a group: the first failure cancels the rest, takes no new item, and closes the iterator", async () => {
  const app = stage.open();
  const error = new Error("boom");
  let taken = 0;
  let closed = false;
  function* numbers(): Generator<number> {
    try {
      for (;;) yield taken++;
    } finally {
      closed = true;
    }
  }
  const reasons: unknown[] = [];
  const task = app.map(
    "m",
    numbers(),
    async (n, self) => {
      if (n === 1) throw error;
      const reason = await rejection(self.sleep("1h"));
      reasons.push(reason);
      throw reason;
    },
    { concurrency: 3 },
  );
  expect(await rejection(task)).toBe(error);
  await turn();
  expect(reasons.every((reason) => reason instanceof TaskCancelledError && reason.source === "sibling")).toBe(
    true,
  );
  expect(taken).toBeLessThanOrEqual(4);
  expect(closed).toBe(true);
});

test("4.1 map: an iterable that throws fails the map", async () => {
  const app = stage.open();
  const error = new Error("cursor broke");
  async function* rows(): AsyncGenerator<number> {
    yield 1;
    throw error;
  }
  expect(await rejection(app.map("m", rows(), () => {}))).toBe(error);
});

test("4.1 map: run receives the item and its own task", async () => {
  const app = stage.open();
  const paths = await app.map("m", ["x"], (item, task) => `${item} ${task.path.startsWith("app/m/")}`);
  expect(paths).toEqual(["x true"]);
});

test("4.1 map: of a task it is a child", async () => {
  const app = stage.open();
  const task = app.spawn("a", async (self) => {
    const child = self.map("m", [1, 2], (n) => n + 1);
    return [child.path, await child];
  });
  expect(await task).toEqual(["app/a/m", [2, 3]]);
});

test("4.1 what cannot be gone through is refused by name", async () => {
  const app = stage.open();
  for (const items of [undefined, null, 5, {}])
    expect(await rejection(app.map("all", items as never, () => 1))).toMatchObject({
      code: "HF_BAD_OPTION",
      option: "items",
    });
  expect(await app.map("all", "ab", (letter) => letter)).toEqual(["a", "b"]);
});
