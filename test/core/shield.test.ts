import { expect, test } from "vitest";
import {
  ScopeClosedError,
  TaskAbandonedError,
  TaskTimeoutError,
  checkpoint,
  group,
  shield,
  sleep,
  spawn,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import {
  deferred,
  forever,
  journal,
  rejection,
  stubborn,
  track,
  turn,
  useStage,
  thrown as caught,
} from "./stage.ts";

const stage = useStage();

test("4.2 Shield: task.signal aborts at once", async () => {
  const app = stage.open();
  let signal: AbortSignal | undefined;
  let inside: AbortSignal | undefined;
  const task = app.spawn("a", async (self) => {
    signal = self.signal;
    await self.shield(async (shielded) => {
      inside = shielded;
      await self.sleep("1s");
    });
  });
  await turn();
  const ending = task.cancel();
  expect(signal?.aborted).toBe(true);
  expect(task.signal.aborted).toBe(true);
  expect(inside?.aborted).toBe(false);
  await stage.clock.advance("1s");
  await ending;
});

test("4.2 Shield: only what is inside a shield is spared", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", async (self) => {
    const beside = self.sleep("2s").then(
      () => log.push("beside went on"),
      () => log.push(`beside rejected at ${stage.now()}`),
    );
    await self.shield(async () => {
      await self.sleep("2s");
      log.push(`inside went on at ${stage.now()}`);
    });
    await beside;
    self.throwIfCancelled();
  });
  await stage.clock.advance("1s");
  const ending = task.cancel();
  await stage.clock.advance("1s");
  expect((await ending).state).toBe("cancelled");
  expect(log).toEqual(["beside rejected at 1000", "inside went on at 2000"]);
});

const points: [string, (task: TaskContext, other: Task<string>) => PromiseLike<unknown>][] = [
  ["sleep", (task) => task.sleep("1s")],
  ["ambient sleep", () => sleep("1s")],
  [
    "every",
    async (task) => {
      for await (const n of task.every("500ms")) if (n === 2) break;
    },
  ],
  ["checkpoint", (task) => task.checkpoint()],
  ["ambient checkpoint", () => checkpoint()],
  ["awaiting a Task", (_task, other) => other],
  ["spawn", (task) => task.spawn("child", (child) => child.sleep("1s"))],
  ["ambient spawn", () => spawn("child", (child) => child.sleep("1s"))],
  [
    "group",
    (task) => task.group("child", (scope) => scope.spawn("grandchild", (child) => child.sleep("1s"))),
  ],
  ["ambient group", () => group("child", (scope) => scope.spawn("grandchild", (child) => child.sleep("1s")))],
  ["map", (task) => task.map("child", [1, 2], (_item, child) => child.sleep("1s"))],
];

test.each(points)("4.2 Shield: in its async context %s ignores cancellation", async (_name, point) => {
  const app = stage.open();
  const other = app.scope("elsewhere").spawn("other", (self) => self.sleep("1s").then(() => "other"));
  let done = "";
  const task = app.spawn("a", async (self) => {
    await rejection(self.sleep("1h"));
    await self.shield(async () => {
      await point(self, other);
      done = "done";
    });
    self.throwIfCancelled();
  });
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("2s");
  expect(done).toBe("done");
  expect((await ending).state).toBe("cancelled");
});

test.each(points)("4.2 Shield: in its async context %s ignores timeouts", async (_name, point) => {
  const app = stage.open();
  const other = app.scope("elsewhere").spawn("other", (self) => self.sleep("1500ms").then(() => "other"));
  let done = "";
  const task = app.spawn(
    "a",
    async (self) => {
      await self.shield(async () => {
        await self.sleep("600ms");
        await point(self, other);
        done = "done";
      });
      await self.checkpoint();
    },
    { timeout: "500ms" },
  );
  const error = rejection(task);
  await stage.clock.advance("3s");
  expect(done).toBe("done");
  expect(await error).toBeInstanceOf(TaskTimeoutError);
});

test.each(points)(
  "4.2 Shield: in its async context %s is allowed also while the scope closes",
  async (_name, point) => {
    const app = stage.open();
    const elsewhere = stage.open("elsewhere");
    const other = elsewhere.spawn("other", (self) => self.sleep("1s").then(() => "other"));
    const inner = app.scope("inner");
    let done = "";
    const task = inner.spawn("a", async (self) => {
      await self.shield(async () => {
        await self.sleep("100ms");
        await point(self, other);
        done = "done";
      });
      await self.checkpoint();
    });
    await turn();
    const closing = track(inner.close());
    expect(inner.state).toBe("closing");
    await stage.clock.advance("2s");
    expect(done).toBe("done");
    expect(task.state).toBe("cancelled");
    expect(closing).toMatchObject({
      state: "fulfilled",
      value: { cancelled: expect.any(Number) as number, abandoned: [] },
    });
  },
);

test("4.2 Shield: what a shield returns or throws comes out of it", async () => {
  const app = stage.open();
  const error = new Error("inside");
  const task = app.spawn("a", async (self) => {
    const value = await self.shield(async () => "value");
    const thrown = await rejection(self.shield(() => Promise.reject(error)));
    const sync = await rejection(
      shield(() => {
        throw error;
      }),
    );
    return [value, thrown, sync];
  });
  expect(await task).toEqual(["value", error, error]);
});

test("4.2 Shield: until the hard deadline, the end of grace; then the shield's signal aborts", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn(
    "a",
    async (self) => {
      await self.shield(async (signal) => {
        signal.addEventListener("abort", () => log.push(`shield's signal at ${stage.now()}`));
        await rejection(self.sleep("1h"));
        log.push(`sleep rejected at ${stage.now()}`);
      });
      self.throwIfCancelled();
    },
    { grace: "3s" },
  );
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("2999ms");
  expect(log).toEqual([]);
  await stage.clock.advance("1ms");
  expect(log).toEqual(["shield's signal at 3000", "sleep rejected at 3000"]);
  expect((await ending).state).toBe("cancelled");
});

test("4.2 Shield: ... and 1 s later the task is abandoned", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.shield(() => forever()), { grace: "3s" });
  const error = rejection(task);
  await turn();
  void task.cancel();
  await stage.clock.advance("3999ms");
  expect(task.state).toBe("cancelling");
  await stage.clock.advance("1ms");
  expect(task.state).toBe("abandoned");
  expect(await error).toBeInstanceOf(TaskAbandonedError);
});

test("4.2 Shield: ... 1 s later, also where the grace is shorter than that", async () => {
  const app = stage.open("app", { grace: "100ms" });
  const { run, release } = stubborn();
  const task = app.spawn("a", (self) => self.shield(run));
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("1099ms");
  expect(task.state).toBe("cancelling");
  release("saved");
  expect(await task.outcome()).toEqual({ state: "succeeded", value: "saved" });
});

test("4.2 Shield: the end of an ancestor's grace aborts it too, and 1 s later all are abandoned", async () => {
  const app = stage.open();
  const log: string[] = [];
  const top = app.spawn(
    "top",
    async (self) => {
      const both = self.group("g", async (own) => {
        await own.spawn("leaf", (leaf) =>
          leaf.shield(async (signal) => {
            signal.addEventListener("abort", () => {
              log.push(`${String((signal.reason as Error).message)} at ${stage.now()}`);
            });
            await forever();
          }),
        );
      });
      await both.outcome();
    },
    { grace: "1s" },
  );
  void top.outcome();
  await turn();
  void top.cancel();
  await stage.clock.advance("1999ms");
  expect(log).toEqual(["app/top/g/leaf was cancelled (parent app/top/g) at 1000"]);
  expect(top.state).toBe("cancelling");
  await stage.clock.advance("1ms");
  expect(top.state).toBe("abandoned");
  stage.takeReports();
});

test("4.2 Shield: a child spawned in a shield is spared until the hard deadline, then cancelled", async () => {
  const app = stage.open();
  let child: Task<void> | undefined;
  const task = app.spawn(
    "a",
    async (self) => {
      await self.shield(async () => {
        child = self.spawn("child", (inner) => inner.sleep("1h"));
        await child.outcome();
      });
      self.throwIfCancelled();
    },
    { grace: "3s" },
  );
  await turn();
  const ending = task.cancel();
  await stage.clock.advance("2999ms");
  expect(child?.state).toBe("running");
  await stage.clock.advance("1ms");
  expect(child?.state).toBe("cancelled");
  expect((await ending).state).toBe("cancelled");
});

test("4.2 Shield: a timeout that fires during a shield takes effect when it ends", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn(
    "a",
    async (self) => {
      self.signal.addEventListener("abort", () => log.push(`signal at ${stage.now()}`));
      self.spawn("beside", async (child) => {
        const error = await rejection(child.sleep("1h"));
        log.push(`child cancelled at ${stage.now()}`);
        throw error;
      });
      log.push(await self.shield(() => self.sleep("3s").then(() => "saved")));
      await self.sleep("1h");
    },
    { timeout: "1s" },
  );
  const error = rejection(task);
  await stage.clock.advance("2s");
  expect(log).toEqual([]);
  await stage.clock.advance("1s");
  expect(log.toSorted()).toEqual(["child cancelled at 3000", "saved", "signal at 3000"]);
  expect(await error).toBeInstanceOf(TaskTimeoutError);
  expect(stage.now()).toBe(3000);
});

test("4.2 Shield: shielded work counts in the drain: close waits for it", async () => {
  const app = stage.open();
  const log: string[] = [];
  const task = app.spawn("a", async (self) => {
    await self.shield(async () => {
      await self.sleep("3s");
      log.push("saved");
    });
    self.throwIfCancelled();
  });
  await turn();
  void task.cancel();
  const closing = track(app.close({ drain: "10s" }));
  await stage.clock.advance("2s");
  expect(closing.state).toBe("pending");
  expect(app.state).toBe("draining");
  await stage.clock.advance("1s");
  expect(log).toEqual(["saved"]);
  expect(closing).toMatchObject({ state: "fulfilled", value: { cancelled: 1, abandoned: [] } });
});

test("4.2 Shield: shields nest; the outer one holds until it ends", async () => {
  const app = stage.open();
  const gate = deferred();
  const log: string[] = [];
  const task = app.spawn("a", async (self) => {
    await self.shield(async () => {
      await self.shield(() => gate.promise);
      await self.sleep("1s");
      log.push("outer still spared");
    });
    log.push((await rejection(self.checkpoint())) === self.signal.reason ? "then cancelled" : "wrong");
    self.throwIfCancelled();
  });
  await turn();
  const ending = task.cancel();
  gate.resolve();
  await stage.clock.advance("1s");
  expect((await ending).state).toBe("cancelled");
  expect(log).toEqual(["outer still spared", "then cancelled"]);
});

test("4.2 Shield: a shield of a task that nobody cancels is invisible", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.shield(() => self.sleep("1s")));
  await turn();
  expect([...app.tasks()].map((info) => info.name)).toEqual(["a"]);
  expect(app.stats()).toMatchObject({ live: 1, spawned: 1 });
  expect(task.info().children).toBe(0);
  await stage.clock.advance("1s");
  await task;
  expect(app.stats()).toMatchObject({ live: 0, spawned: 1, succeeded: 1 });
});

test("4.2 Shield: close({ grace }) brings the hard deadline forward", async () => {
  const app = stage.open();
  const log: number[] = [];
  app.spawn(
    "a",
    async (self) => {
      await self.shield(async (signal) => {
        signal.addEventListener("abort", () => log.push(stage.now()));
        await rejection(self.sleep("1h"));
      });
      self.throwIfCancelled();
    },
    { grace: "1h" },
  );
  await turn();
  const closing = app.close({ grace: "2s" });
  await stage.clock.advance("2s");
  expect(await closing).toMatchObject({ cancelled: 1, abandoned: [] });
  expect(log).toEqual([2000]);
});

test("4.2 Shield: ... and 1 s after it what is still shielded is abandoned", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => self.shield(() => forever()), { grace: "1h" });
  await turn();
  const closing = track(app.close({ grace: "2s" }));
  await stage.clock.advance("2999ms");
  expect(task.state).toBe("cancelling");
  await stage.clock.advance("1ms");
  expect(task.state).toBe("abandoned");
  expect(closing.state).toBe("fulfilled");
  stage.takeReports();
});

test("4.2 Shield: a child in a shield is abandoned with its ancestor, leaves first", async () => {
  const app = stage.open();
  const ends = journal(app, "end");
  const task = app.spawn(
    "top",
    async (self) => {
      await self.shield(async () => {
        await self.spawn("middle", (middle) => middle.spawn("leaf", () => forever(), { grace: "1h" }), {
          grace: "1h",
        });
      });
    },
    { grace: "1s" },
  );
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("2s");
  expect(ends).toEqual(["end leaf", "end middle", "end top"]);
  stage.takeReports();
});

test("4.2 Shield: what runs while the scope closes is the shield's child; the scope itself takes nothing more", async () => {
  const app = stage.open();
  const made: unknown[] = [];
  const task = app.spawn("a", async (self) => {
    await self.shield(async () => {
      await self.sleep("1s");
      expect(caught(() => self.scope.spawn("save", () => "saved"))).toBeInstanceOf(ScopeClosedError);
      made.push(await self.spawn("save", () => "saved"));
    });
    self.throwIfCancelled();
  });
  await turn();
  const closing = app.close();
  await stage.clock.advance("1s");
  await closing;
  expect(made).toEqual(["saved"]);
  expect(task.state).toBe("cancelled");
});
