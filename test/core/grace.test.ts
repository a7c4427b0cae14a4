import { expect, test } from "vitest";
import {
  ScopeClosedError,
  TaskAbandonedError,
  TaskCancelledError,
  TaskTimeoutError,
  type Task,
  type TaskContext,
} from "../../src/core/index.ts";
import { deferred, forever, journal, rejection, stubborn, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.2 Grace (default 5 s) runs from a cancel", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever());
  await turn();
  const ending = track(task.cancel());
  await stage.clock.advance(4999);
  expect(task.state).toBe("cancelling");
  expect(ending.state).toBe("pending");
  await stage.clock.advance(1);
  expect(task.state).toBe("abandoned");
  expect(ending).toMatchObject({ state: "fulfilled", value: { state: "abandoned" } });
  expect(stage.takeReports()).toHaveLength(1);
});

test("4.2 Grace runs from a timeout", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever(), { timeout: "1s" });
  const error = rejection(task);
  await stage.clock.advance(5999);
  expect(task.state).toBe("cancelling");
  await stage.clock.advance(1);
  expect(task.state).toBe("abandoned");
  expect(await error).toBeInstanceOf(TaskAbandonedError);
});

test("4.2 Grace runs from a deadline", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever(), { deadline: "2s", grace: "1s" });
  const error = rejection(task);
  await stage.clock.advance(2999);
  expect(task.state).toBe("cancelling");
  await stage.clock.advance(1);
  expect(await error).toBeInstanceOf(TaskAbandonedError);
});

test("4.2 Grace: of the task, else of its scope, else of the scope above", async () => {
  const app = stage.open("app", { grace: "3s" });
  const inner = app.scope("inner");
  const own = inner.scope("own", { grace: "2s" });
  const tasks = [
    inner.spawn("inherits", () => forever()),
    own.spawn("scope's", () => forever()),
    own.spawn("task's", () => forever(), { grace: "1s" }),
  ];
  await turn();
  for (const task of tasks) void task.outcome();
  for (const task of tasks) void task.cancel();
  const states = (): string[] => tasks.map((task) => task.state);
  await stage.clock.advance("1s");
  expect(states()).toEqual(["cancelling", "cancelling", "abandoned"]);
  await stage.clock.advance("1s");
  expect(states()).toEqual(["cancelling", "abandoned", "abandoned"]);
  await stage.clock.advance("1s");
  expect(states()).toEqual(["abandoned", "abandoned", "abandoned"]);
});

test("4.2 Grace: a second cancel does not start it again", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever());
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("4s");
  void task.cancel();
  await stage.clock.advance("1s");
  expect(task.state).toBe("abandoned");
});

test("4.2 Grace: when it is over the task is abandoned, with the finding unresponsive", async () => {
  const app = stage.open();
  const findings: unknown[] = [];
  app.on("finding", (event) => findings.push(event));
  const task = app.spawn("stubborn", () => forever());
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("5s");
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    type: "finding",
    finding: "unresponsive",
    task: { path: "app/stubborn" },
  });
  expect(String((findings[0] as { text: string }).text)).toContain("app/stubborn");
});

test("4.2 Grace: awaiters get TaskAbandonedError, its cause the timeout", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever(), { timeout: "1s", grace: "1s" });
  const error = rejection(task);
  await stage.clock.advance("2s");
  expect(await error).toBeInstanceOf(TaskAbandonedError);
  expect(((await error) as Error).cause).toBeInstanceOf(TaskTimeoutError);
});

test("4.2 Grace: awaiters get TaskAbandonedError, after a cancel its cause the cancellation", async () => {
  const app = stage.open();
  const task = app.spawn("stubborn", () => forever(), { grace: "1s" });
  const error = rejection(task);
  await turn();
  const ending = task.cancel("why");
  await stage.clock.advance("1s");
  expect(await ending).toMatchObject({ state: "abandoned" });
  expect(await error).toBeInstanceOf(TaskAbandonedError);
  expect(((await error) as Error).cause).toBeInstanceOf(TaskCancelledError);
  expect(await rejection(task)).toBe(await error);
});

test("4.2 Grace: an abandoned task's slot and key are freed", async () => {
  const app = stage.open("app", { concurrency: 1 });
  const task = app.spawn("stubborn", () => forever(), {
    key: "k",
    grace: "1s",
    limit: { key: "l", concurrency: 1 },
  });
  void task.outcome();
  const waiting = app.spawn("waiting", () => "ran", { limit: { key: "l", concurrency: 1 } });
  await turn();
  void task.cancel();
  await stage.clock.advance("999ms");
  expect(waiting.state).toBe("waiting");
  expect(app.get("k")).toBe(task);
  await stage.clock.advance("1ms");
  expect(await waiting).toBe("ran");
  expect(app.get("k")).toBeUndefined();
  const second = app.spawn("second", () => "second", { key: "k" });
  expect(second).not.toBe(task);
  expect(await second).toBe("second");
});

test("4.2 Grace: its live descendants are abandoned with it, leaves first", async () => {
  const app = stage.open();
  const ends = journal(app, "end");
  const task = app.spawn(
    "root",
    (self) => {
      self.spawn(
        "child",
        (child) => {
          child.spawn("leaf", () => forever(), { grace: "1h" });
          return forever();
        },
        { grace: "1h" },
      );
      return forever();
    },
    { grace: "1s" },
  );
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  expect(ends).toEqual(["end leaf", "end child", "end root"]);
  expect(app.stats().abandoned).toBe(3);
  expect(app.stats().live).toBe(0);
  expect(stage.takeReports().length).toBeGreaterThan(0);
});

test("4.2 Grace: ... and where that waits for clean-up, nothing more begins in them meanwhile", async () => {
  const app = stage.open();
  const gate = deferred();
  const hang = (): Promise<never> => forever();
  const refused: unknown[] = [];
  let attempts = 0;
  const task = app.spawn(
    "root",
    (self) => {
      // Spared from the cancel of `root`, but not from its end.
      const middle = async (own: TaskContext): Promise<void> => {
        await rejection(
          own.shield(async () => {
            own.spawn("spared", spared, { grace: "1h" });
            own.spawn("flaky", flaky, { grace: "1h", retry: { attempts: 2, min: 0 } });
            await forever();
          }),
        );
      };
      const spared = async (own: TaskContext): Promise<void> => {
        // Takes the 5 s that clean-up may take.
        own.spawn("cleans up", (leaf) => leaf.defer(hang));
        await gate.promise;
        refused.push(thrown(() => own.spawn("late", hang, { grace: "1h" })));
        refused.push(await rejection(own.shield(hang)));
        await forever();
      };
      const flaky = async (own: TaskContext): Promise<void> => {
        attempts++;
        own.spawn("cleans up too", (leaf) => leaf.defer(hang));
        await turn();
        throw new Error("boom");
      };
      self.spawn("middle", middle, { grace: "1h" });
      return forever();
    },
    { grace: "1s" },
  );
  for (let n = 0; n < 4; n++) await turn();
  const cancelled = track(task.cancel());
  await stage.clock.advance("2s");
  expect(cancelled.state).toBe("pending");
  gate.resolve();
  await stage.clock.advance("3s");
  expect(cancelled).toMatchObject({ state: "fulfilled", value: { state: "abandoned" } });
  expect(refused).toEqual([expect.any(ScopeClosedError), expect.any(ScopeClosedError)]);
  expect(attempts).toBe(1);
  expect(app.stats().live).toBe(0);
  stage.takeReports();
});

test("4.2 Grace: an abandoned group takes its scope's tasks with it", async () => {
  const app = stage.open();
  const ends = journal(app, "end");
  const group = app.group(
    "group",
    (scope) => {
      scope.spawn("member", () => forever(), { grace: "1h" });
      return forever();
    },
    { grace: "1s" },
  );
  void group.outcome();
  await turn();
  void group.cancel();
  await stage.clock.advance("1s");
  expect(ends.indexOf("end member")).toBeLessThan(ends.indexOf("end group"));
  expect(group.state).toBe("abandoned");
  expect(app.stats().live).toBe(0);
  stage.takeReports();
});

test("4.2 Grace: its live descendants are abandoned with it, also in scopes of a group whose body is done", async () => {
  const app = stage.open();
  const group = app.group(
    "g",
    (own) => void own.scope("inner").spawn("stubborn", () => forever(), { grace: "1h" }),
    { grace: "1s" },
  );
  void group.outcome();
  await turn();
  const ended = track(group.cancel());
  await stage.clock.advance(999);
  expect(ended.state).toBe("pending");
  await stage.clock.advance(1);
  expect(ended.state).toBe("fulfilled");
  stage.takeReports();
});

test("4.2 Grace: a later close({ grace }) is a ceiling also there", async () => {
  const app = stage.open("app", { grace: "1h" });
  const group = app.group("g", (own) => void own.scope("inner").spawn("stubborn", () => forever()));
  void group.outcome();
  await turn();
  void app.close();
  await stage.clock.advance("1s");
  const closed = track(app.close({ grace: "1s" }));
  await stage.clock.advance("1s");
  expect(closed.state).toBe("fulfilled");
  stage.takeReports();
});

test("4.2 Grace: close({ grace }) is a ceiling on the tasks' own", async () => {
  const app = stage.open();
  const patient = app.spawn("patient", () => forever(), { grace: "10s" });
  const hasty = app.spawn("hasty", () => forever(), { grace: "500ms" });
  await turn();
  const closing = app.close({ grace: "1s" });
  await stage.clock.advance("500ms");
  expect([patient.state, hasty.state]).toEqual(["cancelling", "abandoned"]);
  await stage.clock.advance("500ms");
  expect(patient.state).toBe("abandoned");
  const report = await closing;
  expect(report.abandoned.map((info) => info.name).toSorted()).toEqual(["hasty", "patient"]);
  stage.takeReports();
});

test("4.2 Grace: close({ grace }) is a ceiling also for what was cancelled before", async () => {
  const app = stage.open();
  const task = app.spawn("patient", () => forever(), { grace: "1h" });
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  const closing = track(app.close({ grace: "1s" }));
  await stage.clock.advance("1s");
  expect(task.state).toBe("abandoned");
  expect(closing.state).toBe("fulfilled");
  stage.takeReports();
});

test("4.2 Grace: what settles later is recorded as late, never a state", async () => {
  const app = stage.open();
  const { run, release } = stubborn();
  const late: unknown[] = [];
  app.on("late", (event) => late.push(event));
  const task = app.spawn("stubborn", run, { grace: "1s" });
  void task.outcome();
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  expect(app.stats().late).toBe(0);
  release();
  await turn();
  expect(task.state).toBe("abandoned");
  expect(await rejection(task)).toBeInstanceOf(TaskAbandonedError);
  expect(late).toHaveLength(1);
  expect(late[0]).toMatchObject({ type: "late", task: { path: "app/stubborn", state: "abandoned" } });
  expect(late[0]).not.toHaveProperty("error");
  expect(app.stats()).toMatchObject({ late: 1, abandoned: 1, succeeded: 0 });
});

test("4.2 Grace: what settles later is counted all the way up, though its scope has closed", async () => {
  const app = stage.open();
  const inner = app.scope("outer").scope("inner");
  const { run, release } = stubborn();
  void inner.spawn("stubborn", run).outcome();
  await turn();
  const closing = inner.close({ grace: "1s" });
  await stage.clock.advance("1s");
  await closing;
  release();
  await turn();
  expect(inner.stats().late).toBe(1);
  expect(app.stats().late).toBe(1);
});

test("4.2 Grace: what rejects later is recorded as late with its error, and delivered to nobody", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const gate = deferred();
  const late: unknown[] = [];
  app.on("late", (event) => late.push(event));
  const task = app.spawn("stubborn", () => gate.promise, { grace: "1s" });
  await turn();
  void task.cancel();
  await stage.clock.advance("1s");
  expect(delivered).toHaveLength(1);
  gate.reject(new Error("too late"));
  await turn();
  expect(late).toMatchObject([{ type: "late", error: { message: "too late" } }]);
  expect(delivered).toHaveLength(1);
  expect(task.state).toBe("abandoned");
});

test("4.2 Grace of zero: abandoned at once where the task does not stop in the turn of the cancel", async () => {
  const app = stage.open();
  const polite = app.spawn("polite", (self) => self.sleep("1h"), { grace: 0 });
  const rude: Task<never> = app.spawn("rude", () => forever(), { grace: 0 });
  await turn();
  const outcomes = Promise.all([polite.cancel(), rude.cancel()]);
  await stage.clock.advance(0);
  await turn();
  const [first, second] = await outcomes;
  expect(first.state).toBe("cancelled");
  expect(second.state).toBe("abandoned");
  stage.takeReports();
});
