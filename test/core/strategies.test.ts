import { expect, test } from "vitest";
import { deferred, turn, useStage } from "./stage.ts";

const stage = useStage();
const backoff = { kind: "constant", min: "1s", jitter: "none" } as const;

const strategies = [
  ["one-for-one", ["b"]],
  ["one-for-all", ["a", "b", "c"]],
  ["rest-for-one", ["b", "c"]],
] as const;

test.each(strategies)("4.1 strategy %s: a crash of b restarts %s", async (strategy, restarted) => {
  const app = stage.open("app", { strategy });
  const log: string[] = [];
  const gate = deferred();
  for (const name of ["a", "b", "c"]) {
    app.service(
      name,
      async (task) => {
        log.push(name);
        if (name === "b" && task.attempt === 1) {
          await gate.promise;
          throw new Error("crash");
        }
        await task.sleep("365d");
      },
      { backoff },
    );
  }
  await turn();
  expect(log.splice(0)).toEqual(["a", "b", "c"]);
  gate.resolve();
  await stage.clock.advance("2s");
  expect(log).toEqual(restarted);
  expect(app.stats()).toMatchObject({ live: 3, cancelled: 0, failed: 0 });
});

test("4.1 strategy one-for-all: services that crash at once, and again, end up running", async () => {
  const app = stage.open("app", { strategy: "one-for-all" });
  const log: string[] = [];
  app.service(
    "a",
    async (task) => {
      log.push(`a${task.attempt}`);
      if (task.attempt < 3) throw new Error("a");
      await task.sleep("1h");
    },
    { backoff },
  );
  app.service(
    "b",
    async (task) => {
      log.push(`b${task.attempt}`);
      if (task.attempt < 2) throw new Error("b");
      await task.sleep("1h");
    },
    { backoff },
  );
  await stage.clock.advance("10s");
  expect(app.stats().live).toBe(2);
  expect([...app.tasks()].map((info) => info.state)).toEqual(["running", "running"]);
});

test("4.1 strategy one-for-all: a crash leaves the delay of a service that has not started as it is", async () => {
  const app = stage.open("app", { strategy: "one-for-all" });
  const log: string[] = [];
  app.service(
    "a",
    async (task) => {
      log.push(`a${task.attempt} at ${stage.now()}`);
      if (task.attempt === 1) throw new Error("a");
      await task.sleep("1h");
    },
    { backoff },
  );
  app.service(
    "b",
    async (task) => {
      log.push(`b${task.attempt} at ${stage.now()}`);
      await task.sleep("1h");
    },
    { backoff, delay: "3s" },
  );
  await stage.clock.advance("10s");
  expect(log).toEqual(["a1 at 0", "a2 at 1000", "b1 at 3000"]);
});

const doubling = { kind: "exponential", min: "1s", jitter: "none" } as const;

test("4.1 strategy rest-for-one: ... those started after it, also one whose next attempt begins just then", async () => {
  const app = stage.open("app", { strategy: "rest-for-one" });
  const log: string[] = [];
  for (const name of ["a", "b"]) {
    app.service(
      name,
      (task) => {
        log.push(`${name}${task.attempt} at ${stage.now()}`);
        if (name === "b" || task.attempt === 3) return task.sleep("1h");
        if (task.attempt === 2) throw new Error("second crash");
        return task.sleep("1s").then(() => Promise.reject(new Error("first crash")));
      },
      { backoff: doubling },
    );
  }
  await stage.clock.advance("10s");
  const starts = ["a1 at 0", "b1 at 0", "a2 at 2000", "b2 at 2000", "a3 at 4000", "b3 at 4000"];
  expect(log).toEqual(starts);
});

test("4.3 12 strategy rest-for-one: services that crash at once, time and again, leave no timer", async () => {
  const app = stage.open("app", { strategy: "rest-for-one" });
  const crash = (): never => {
    throw new Error("crash");
  };
  app.service("a", crash, { backoff: doubling });
  app.service("b", crash, { backoff: doubling });
  await stage.clock.advance("1s");
  await app.cancel();
  expect(stage.clock.pending).toBe(0);
});
