import { expect, test } from "vitest";
import { KeyConflictError, type Task, type TaskContext } from "../../src/core/index.ts";
import { deferred, rejection, stubborn, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Keys are unique among the non-terminal tasks of one scope: freed when the task ends", async () => {
  const app = stage.open();
  const first = app.spawn("a", () => 1, { key: "k" });
  expect(app.get("k")).toBe(first);
  await first;
  expect(app.get("k")).toBeUndefined();
  const second = app.spawn("a", () => 2, { key: "k" });
  expect(second).not.toBe(first);
  expect(await second).toBe(2);
});

test("4.2 Keys: ... of one scope: the same key in another scope is another task", async () => {
  const app = stage.open();
  const other = app.scope("other");
  const first = app.spawn("a", () => 1, { key: "k" });
  const second = other.spawn("a", () => 2, { key: "k" });
  expect(second).not.toBe(first);
  expect([await first, await second]).toEqual([1, 2]);
});

test("4.2 Keys: ... over all attempts: held in back-off", async () => {
  const app = stage.open();
  const retry = { attempts: 2, kind: "constant", min: "1m", jitter: "none" } as const;
  const task = app.spawn("a", (self) => (self.attempt === 1 ? Promise.reject(new Error("x")) : "second"), {
    key: "k",
    retry,
  });
  await turn();
  expect(task.state).toBe("retrying");
  expect(app.spawn("a", () => "other", { key: "k" })).toBe(task);
  await stage.clock.advance("1m");
  expect(await task).toBe("second");
});

test("4.2 Keys: ... held while it waits for its delay or a slot", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const { run, release } = stubborn();
  app.spawn("first", run);
  const queued = app.spawn("queued", () => "queued", { key: "q" });
  const delayed = app.scope("free").spawn("delayed", () => "delayed", { key: "d", delay: "1m" });
  expect(app.spawn("queued", () => "other", { key: "q" })).toBe(queued);
  release();
  expect(await queued).toBe("queued");
  await stage.clock.advance("1m");
  expect(await delayed).toBe("delayed");
});

test("4.2 Keys: join (default) returns the same Task, its options ignored", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  let calls = 0;
  const first = app.spawn("a", () => gate.promise, { key: "k" });
  const second = app.spawn(
    "b",
    () => {
      calls++;
      return "second";
    },
    { key: "k", timeout: "1s", attributes: { who: "second" } },
  );
  const third = app.spawn("c", () => "third", { key: "k", onConflict: "join" });
  expect(second).toBe(first);
  expect(third).toBe(first);
  await stage.clock.advance("2s");
  expect(first).toMatchObject({ name: "a", state: "running" });
  expect(first.info().attributes).toEqual({});
  gate.resolve("first");
  expect(await second).toBe("first");
  expect(calls).toBe(0);
  expect(app.stats().spawned).toBe(1);
});

test("4.2 Keys: joining one that is cancelling acts as replace", async () => {
  const app = stage.open();
  const order: string[] = [];
  const first = app.spawn(
    "first",
    async (self) => {
      await rejection(self.sleep("1h"));
      await self.shield(() => self.sleep("1s"));
      order.push("first ended");
      self.throwIfCancelled();
    },
    { key: "k" },
  );
  await turn();
  void first.cancel();
  const second = app.spawn(
    "second",
    () => {
      order.push("second ran");
      return "second";
    },
    { key: "k" },
  );
  expect(second).not.toBe(first);
  expect(second.state).toBe("waiting");
  expect(app.get("k")).toBe(second);
  await stage.clock.advance("1s");
  expect(await second).toBe("second");
  expect(order).toEqual(["first ended", "second ran"]);
});

test("4.2 Keys: reject throws KeyConflictError at once", async () => {
  const app = stage.open();
  const first = app.spawn("a", (task) => task.sleep("1s"), { key: "k" });
  let calls = 0;
  const error = thrown(() => app.spawn("b", () => void calls++, { key: "k", onConflict: "reject" }));
  expect(error).toBeInstanceOf(KeyConflictError);
  expect(error).toMatchObject({ code: "HF_KEY_CONFLICT", key: "k", path: "app/a" });
  await stage.clock.advance("1s");
  await first;
  expect(calls).toBe(0);
  expect(app.stats().spawned).toBe(1);
});

test("4.2 Keys: replace returns a waiting task at once, which starts when the old one is terminal", async () => {
  const app = stage.open();
  const order: string[] = [];
  const old = app.spawn(
    "old",
    async (self) => {
      await rejection(self.sleep("1h"));
      await self.shield(() => self.sleep("2s"));
      order.push(`old ended at ${stage.now()}`);
      self.throwIfCancelled();
    },
    { key: "k" },
  );
  await turn();
  const replacer = app.spawn(
    "new",
    () => {
      order.push(`new ran at ${stage.now()}, old ${old.state}`);
      return "new";
    },
    { key: "k", onConflict: "replace" },
  );
  expect(replacer).not.toBe(old);
  expect(replacer.state).toBe("waiting");
  expect(old.state).toBe("cancelling");
  expect(app.get("k")).toBe(replacer);
  await stage.clock.advance("2s");
  expect(await replacer).toBe("new");
  expect(order).toEqual(["old ended at 2000", "new ran at 2000, old cancelled"]);
  expect(await rejection(old)).toMatchObject({ name: "AbortError", source: "key" });
});

test("4.2 Keys: replace without a conflict just starts", async () => {
  const app = stage.open();
  expect(await app.spawn("a", () => "ran", { key: "k", onConflict: "replace" })).toBe("ran");
});

test("4.2 Keys: of several replacers the last wins, the others are cancelled", async () => {
  const app = stage.open();
  const ran: string[] = [];
  const spawn = (name: string): Task<void> =>
    app.spawn(
      name,
      (self) => {
        ran.push(name);
        return name === "one" ? self.shield(() => self.sleep("1s")).then(() => self.checkpoint()) : undefined;
      },
      { key: "k", onConflict: "replace" },
    );
  const one = spawn("one");
  await turn();
  const two = spawn("two");
  const three = spawn("three");
  const four = spawn("four");
  await turn();
  expect([one.state, two.state, three.state, four.state]).toEqual([
    "cancelling",
    "cancelled",
    "cancelled",
    "waiting",
  ]);
  await stage.clock.advance("1s");
  await four;
  expect(ran).toEqual(["one", "four"]);
  expect(app.get("k")).toBeUndefined();
});

test("4.2 Keys: a replacer that is cancelled before it starts leaves the old one to end", async () => {
  const app = stage.open();
  const old = app.spawn("old", (self) => self.shield(() => self.sleep("1s")).then(() => self.checkpoint()), {
    key: "k",
  });
  await turn();
  let calls = 0;
  const replacer = app.spawn("new", () => void calls++, { key: "k", onConflict: "replace" });
  expect((await replacer.cancel()).state).toBe("cancelled");
  const ended = track(old.outcome());
  await stage.clock.advance("1s");
  expect(ended).toMatchObject({ state: "fulfilled", value: { state: "cancelled" } });
  expect(calls).toBe(0);
  expect(app.get("k")).toBeUndefined();
});

test("4.2 Keys: joining a waiting replacer returns it", async () => {
  const app = stage.open();
  const old = app.spawn("old", (self) => self.shield(() => self.sleep("1s")).then(() => self.checkpoint()), {
    key: "k",
  });
  await turn();
  const replacer = app.spawn("new", () => "new", { key: "k", onConflict: "replace" });
  expect(app.spawn("joiner", () => "joiner", { key: "k" })).toBe(replacer);
  await stage.clock.advance("1s");
  expect(await replacer).toBe("new");
  expect(old.state).toBe("cancelled");
});

test("4.2 Keys: a replacer of a task that is never going to stop starts when that one is abandoned", async () => {
  const app = stage.open();
  const { run, release } = stubborn();
  const old = app.spawn("old", run, { key: "k", grace: "1s" });
  void old.outcome();
  await turn();
  const replacer = app.spawn("new", () => "new", { key: "k", onConflict: "replace" });
  await stage.clock.advance("1s");
  expect(old.state).toBe("abandoned");
  expect(await replacer).toBe("new");
  release();
  await turn();
});

test("4.1 a task's key is in its record", () => {
  const app = stage.open();
  expect(app.spawn("a", () => {}, { key: "welcome:7" }).info().key).toBe("welcome:7");
  expect(app.spawn("b", () => {}).info()).not.toHaveProperty("key");
});

test("4.2 Keys: a replacer that is cancelled gives the key back to the old one, while that one lives", async () => {
  const app = stage.open();
  const body = (self: TaskContext): Promise<void> =>
    self.shield(() => self.sleep("1s")).then(() => self.checkpoint());
  const old = app.spawn("old", body, { key: "k" });
  await turn();
  const replacer = app.spawn("new", () => {}, { key: "k", onConflict: "replace" });
  await replacer.cancel();
  expect(app.get("k")).toBe(old);
  expect(thrown(() => app.spawn("other", () => {}, { key: "k", onConflict: "reject" }))).toBeInstanceOf(
    KeyConflictError,
  );
  const next = app.spawn("next", () => `old ${old.state}`, { key: "k" });
  await stage.clock.advance("1s");
  expect(await next).toBe("old cancelled");
});

test("4.2 Keys are unique: whoever replaces the key of its own ancestor has cancelled itself, and the key stays taken", async () => {
  const app = stage.open();
  let inner: Task<unknown> | undefined;
  const old = app.spawn(
    "old",
    async (self) => {
      await turn();
      inner = self.spawn("inner", () => {}, { key: "k", onConflict: "replace" });
      await self.shield(() => self.sleep("1s"));
      self.throwIfCancelled();
    },
    { key: "k" },
  );
  await turn();
  await turn();
  expect(inner?.state).toBe("cancelled");
  expect(old.state).toBe("cancelling");
  expect(app.get("k")).toBe(old);
  const next = app.spawn("next", () => `old ${old.state}`, { key: "k" });
  expect(next.state).toBe("waiting");
  await stage.clock.advance("1s");
  expect(await next).toBe("old cancelled");
});

test.each(["join", "replace"] as const)(
  "4.2 Keys are unique: what the cancel of the old one makes spawn meanwhile waits for it too (%s)",
  async (onConflict) => {
    const app = stage.open();
    const log: string[] = [];
    let meanwhile: Task<unknown> | undefined;
    const old = app.spawn(
      "old",
      async (self) => {
        self.signal.addEventListener("abort", () => {
          meanwhile = app.spawn("meanwhile", () => log.push("meanwhile"), { key: "k", onConflict });
        });
        await self.shield(() => self.sleep("1s"));
        log.push("old");
        self.throwIfCancelled();
      },
      { key: "k" },
    );
    await turn();
    const next = app.spawn("next", () => log.push("next"), { key: "k", onConflict: "replace" });
    await turn();
    expect(log).toEqual([]);
    await stage.clock.advance("1s");
    expect((await old.outcome()).state).toBe("cancelled");
    const last = onConflict === "join" ? "next" : "meanwhile";
    expect(meanwhile === next).toBe(onConflict === "join");
    expect(log).toEqual(["old", last]);
  },
);

test("4.2 Keys: a replacer of one that has not started waits for its own delay all the same", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const old = app.spawn("old", () => "old", { key: "k", delay: "1m" });
  const next = app.spawn("next", () => stage.now(), { key: "k", delay: "2s", onConflict: "replace" });
  expect(old.state).toBe("cancelled");
  // Until then it takes nobody's slot.
  expect(await app.spawn("other", () => "other")).toBe("other");
  await stage.clock.advance("2s");
  expect(await next).toBe(2000);
});
