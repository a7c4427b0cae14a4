import { expect, test } from "vitest";
import {
  ScopeClosedError,
  openScope,
  type Run,
  type Scope,
  type ScopeEventName,
} from "../../src/core/index.ts";
import { deferred, forever, rejection, thrown, track, turn, useStage } from "./stage.ts";

const stage = useStage();

test("4.1 openScope makes a root: a name, a path, no parent, open", () => {
  const app = stage.open("courier");
  expect(app).toMatchObject({ name: "courier", path: "courier", parent: undefined, state: "open" });
  expect(app.signal.aborted).toBe(false);
});

test("4.1 a child scope knows its parent", () => {
  const app = stage.open();
  const inner = app.scope("inner");
  expect(inner).toMatchObject({ name: "inner", path: "app/inner", state: "open" });
  expect(inner.parent).toBe(app);
});

test("4.1 a task's own scope is the one that owns it, also for children and in groups", async () => {
  const app = stage.open();
  const scopes: Scope[] = [];
  let group: Scope | undefined;
  await app.spawn("a", (task) => {
    scopes.push(task.scope);
    task.spawn("child", (child) => void scopes.push(child.scope));
  });
  await app.group("g", (own) => {
    group = own;
    own.spawn("member", (member) => void scopes.push(member.scope));
  });
  expect(scopes[0]).toBe(app);
  expect(scopes[1]).toBe(app);
  expect(scopes[2]).toBe(group);
});

test("4.1 get returns the live task that holds a key", async () => {
  const app = stage.open();
  const task = app.spawn("a", () => {}, { key: "k" });
  expect(app.get("k")).toBe(task);
  expect(app.get("other")).toBeUndefined();
  await task;
  expect(app.get("k")).toBeUndefined();
});

test("4.1 untilIdle resolves at once where nothing lives, else when nothing lives here and below", async () => {
  const app = stage.open();
  await app.untilIdle();
  app
    .scope("one")
    .scope("two")
    .spawn("deep", async (task) => {
      await task.sleep("1s");
      app.spawn("next", (next) => next.sleep("1s"));
    });
  const idle = track(app.untilIdle());
  await stage.clock.advance("1s");
  expect(idle.state).toBe("pending");
  await stage.clock.advance("1s");
  expect(idle.state).toBe("fulfilled");
});

test("4.1 untilIdle of a scope that closes resolves when it has", async () => {
  const app = stage.open();
  app.spawn("a", (task) => task.sleep("1h"));
  const idle = track(app.untilIdle());
  await app.cancel();
  await turn();
  expect(idle.state).toBe("fulfilled");
});

test("4.1 untilRoom of a scope that closes rejects with ScopeClosedError", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  app.spawn("a", (task) => task.sleep("1h"));
  const room = rejection(app.untilRoom());
  await app.cancel();
  expect(await room).toBeInstanceOf(ScopeClosedError);
});

test("4.1 what holdfast rejects for waiters of a scope needs no handler", async () => {
  const app = stage.open("app", { concurrency: 1, queue: 0 });
  app.spawn("a", (task) => task.sleep("1h"));
  void app.untilRoom();
  await app.cancel();
  await turn();
  expect(stage.takeUnhandled()).toEqual([]);
});

const run = (): void => {};
type Bad = Record<string, unknown>;

const badSpawns: [string, Bad][] = [
  ["onConflict", { key: "k", onConflict: "explode" }],
  ["key", { key: "" }],
  ["key", { key: 7 }],
  ["limit.key", { limit: { key: "", concurrency: 1 } }],
  ["deadline", { deadline: new Date(NaN) }],
  ["retry.attempts", { retry: { attempts: 1.5 } }],
  ["retry.max", { retry: { attempts: 2, min: "10s", max: "1s" } }],
  ["retry.kind", { retry: { attempts: 2, kind: "linear" } }],
  ["retry.jitter", { retry: { attempts: 2, jitter: "half" } }],
  ["retry.when", { retry: { attempts: 2, when: true } }],
  ["signal", { signal: {} }],
  ["signal", { signal: null }],
  ["signal", { signal: new AbortController() }],
  ["onError", { onError: "log" }],
];

test.each(badSpawns)(
  "4.1 spawn with a bad %s %j throws RangeError, names the option, starts nothing",
  (option, bad) => {
    const app = stage.open();
    const holder = app.scope("holder");
    holder.spawn("holder", () => forever(), { key: "k", grace: 0, onError: () => {} });
    for (const scope of [app, holder]) {
      const error = thrown(() => scope.spawn("a", run, bad));
      expect(error).toBeInstanceOf(RangeError);
      expect(error).toMatchObject({ code: "HF_BAD_OPTION", option });
    }
    expect([...app.tasks()].map(({ name }) => name)).toEqual(["holder"]);
  },
);

const badScopes: [string, Bad][] = [
  ["onFull", { onFull: "explode" }],
  ["onFailure", { onFailure: "explode" }],
  ["strategy", { strategy: "one-for-none" }],
  ["concurrency", { concurrency: "3" }],
  ["queue", { queue: 0.5 }],
  ["onError", { onError: "log" }],
];

test.each(badScopes)("4.1 scope with a bad %s %j throws RangeError, and opens nothing", (option, bad) => {
  const app = stage.open();
  for (const open of [() => app.scope("s", bad), () => openScope("s", bad)]) {
    const error = thrown(open);
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toContain(option);
  }
  expect(app.tree().scopes).toEqual([]);
});

test("4.1 what is no function, name or event is refused where it is given", () => {
  const app = stage.open();
  const notRun = "run" as unknown as Run<void>;
  const calls: (() => unknown)[] = [
    () => app.spawn("a", notRun),
    () => app.group("a", notRun as unknown as (group: Scope) => void),
    () => app.map("a", [1], notRun as unknown as () => void),
    () => app.service("a", notRun),
    () => app.every("a", "1s", notRun),
    () => app.cron("a", "* * * * *", notRun),
    () => app.defer(notRun as unknown as () => void),
    () => app.use({} as Disposable),
    () => app.run(notRun as unknown as () => void),
    () => app.on("end", notRun as unknown as () => void),
    () => app.service("a", run, { restart: "sometimes" as "always" }),
    () => app.service("a", run, { backoff: { kind: "linear" as "constant" } }),
    () => app.spawn(undefined as unknown as string, run),
    () => app.on("nonsense" as ScopeEventName, run),
    () => app.every("a", "1s", run, { overlap: "nonsense" as "skip" }),
    () => openScope("app", { records: -1 }),
  ];
  for (const call of calls) expect([TypeError, RangeError]).toContain(thrown(call)?.constructor);
  expect(app.stats().spawned).toBe(0);
});

test("4.1 a task is thenable: it can be awaited, returned, raced and gathered", async () => {
  const app = stage.open();
  const gate = deferred<string>();
  const slow = app.spawn("slow", () => gate.promise);
  const fast = app.spawn("fast", () => "fast");
  expect(await Promise.race([slow, fast])).toBe("fast");
  expect(await (async () => fast)()).toBe("fast");
  gate.resolve("slow");
  expect(await Promise.all([slow, fast])).toEqual(["slow", "fast"]);
  expect(await Promise.any([slow, fast])).toBe("slow");
});

test("4.1 a task may be awaited many times, before and after its end", async () => {
  const app = stage.open();
  const gate = deferred<object>();
  const task = app.spawn("a", () => gate.promise);
  const early = [task, task].map((one) => one.then((value) => value));
  const value = {};
  gate.resolve(value);
  for (const got of [...(await Promise.all(early)), await task, await task]) expect(got).toBe(value);
});

test("4.1 outcome never rejects", async () => {
  const app = stage.open();
  const outcomes = await Promise.all([
    app.spawn("good", () => 1).outcome(),
    app.spawn("bad", () => Promise.reject(new Error("boom"))).outcome(),
    app.spawn("stopped", () => 1, { signal: AbortSignal.abort() }).outcome(),
  ]);
  expect(outcomes.map((outcome) => outcome.state)).toEqual(["succeeded", "failed", "cancelled"]);
});

test("4.1 signals are made once", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => {
    expect(self.signal).toBe(self.signal);
    expect(self.draining).toBe(self.draining);
    return self.sleep("1s");
  });
  expect(task.signal).toBe(task.signal);
  expect(app.signal).toBe(app.signal);
  await stage.clock.advance("1s");
  await task;
});

test("4.1 any reason, also null, zero, or nothing in it, arrives as the reason", async () => {
  const app = stage.open();
  for (const reason of [null, 0, "", false]) {
    const task = app.spawn("a", (self) => self.sleep("1h"));
    await turn();
    await task.cancel(reason);
    expect(await rejection(task)).toMatchObject({ reason });
  }
});
