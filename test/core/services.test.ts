import { expect, test } from "vitest";
import type { Scope, Task, TaskContext } from "../../src/core/index.ts";
import {
  deferred,
  journal,
  rejection,
  stubborn,
  thrown,
  track,
  turn,
  untilTimers,
  useStage,
} from "./stage.ts";

const stage = useStage();
const backoff = { kind: "constant", min: "100ms", jitter: "none" } as const;

/** A service that crashes as often as told, then stays up. */
function crashing(times: number, log: string[] = []): (task: TaskContext) => Promise<void> {
  let crashes = 0;
  return async (task) => {
    log.push(`start at ${stage.now()}`);
    if (crashes < times) throw new Error(`crash ${++crashes}`);
    await task.sleep("365d");
  };
}

test("4.2 Services: restart defaults to on-failure: one that returns is not restarted", async () => {
  const app = stage.open();
  let runs = 0;
  const service = app.service("s", () => void runs++);
  await service;
  await stage.clock.advance("1m");
  expect(runs).toBe(1);
  expect(service.state).toBe("succeeded");
});

test("4.2 Services: restart defaults to on-failure: one that throws is restarted after its back-off", async () => {
  const app = stage.open();
  const log: string[] = [];
  const service = app.service("s", crashing(2, log), { backoff });
  await stage.clock.advance("1s");
  expect(log).toEqual(["start at 0", "start at 100", "start at 200"]);
  expect(service.state).toBe("running");
  expect(service.info().attempt).toBe(3);
});

test("4.2 Services: restart always: one that returns is started again", async () => {
  const app = stage.open();
  let runs = 0;
  const service = app.service(
    "s",
    async (task) => {
      runs++;
      await task.sleep("20s");
    },
    { restart: "always", backoff },
  );
  await stage.clock.advance("1m");
  expect(runs).toBe(3);
  expect(service.state).toBe("running");
});

test("4.2 Services: restart never: one that throws has failed, and that is delivered", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  const error = new Error("boom");
  const service = app.service("s", () => Promise.reject(error), { restart: "never" });
  await turn();
  expect(service.state).toBe("failed");
  expect(delivered).toEqual([error]);
  expect(app.state).toBe("open");
});

test("4.2 Services: 5 restarts within 1 m by default: the sixth crash escalates", async () => {
  const app = stage.open("app", { onError: () => {} });
  const log: string[] = [];
  app.service("s", crashing(6, log), { backoff });
  await stage.clock.advance("400ms");
  expect(log).toHaveLength(5);
  expect(app.state).toBe("open");
  await stage.clock.advance("100ms");
  await turn();
  expect(log).toHaveLength(6);
  expect(app.state).toBe("closed");
});

test("4.2 Services: crashes further apart than the window do not add up", async () => {
  const app = stage.open();
  let runs = 0;
  app.service(
    "s",
    async (task) => {
      runs++;
      await task.sleep("20s");
      throw new Error("crash");
    },
    { backoff },
  );
  await stage.clock.advance("10m");
  expect(runs).toBeGreaterThan(25);
  expect(app.state).toBe("open");
});

test("4.2 Services: intensity is an option", async () => {
  const app = stage.open("app", { onError: () => {} });
  const log: string[] = [];
  app.service("s", crashing(9, log), { backoff, intensity: { restarts: 1, within: "10s" } });
  await stage.clock.advance("1m");
  expect(log).toHaveLength(2);
  expect(app.state).toBe("closed");
});

test("4.2 Services: back-off 100 ms to 10 s by default", async () => {
  const app = stage.open();
  const delays: number[] = [];
  app.on("restart", (event) => delays.push(event.delay));
  app.service("s", crashing(40), { intensity: { restarts: 100, within: "1h" } });
  for (let n = 0; n < 60; n++) await stage.clock.advance("10s");
  expect(delays).toHaveLength(40);
  // Full jitter draws from zero to the wait's length: 100 ms at first, doubling, never above 10 s.
  for (const [n, delay] of delays.entries()) {
    expect(delay).toBeGreaterThanOrEqual(0);
    expect(delay).toBeLessThanOrEqual(Math.min(10_000, 100 * 2 ** n));
  }
  expect(Math.max(...delays)).toBeGreaterThan(3000);
});

test("4.2 Services: back-off without jitter doubles from min to max", async () => {
  const app = stage.open();
  const delays: number[] = [];
  app.on("restart", (event) => delays.push(event.delay));
  app.service("s", crashing(6), {
    backoff: { min: "1s", max: "5s", jitter: "none" },
    intensity: { restarts: 100, within: "1h" },
  });
  await stage.clock.advance("1m");
  expect(delays).toEqual([1000, 2000, 4000, 5000, 5000, 5000]);
});

test("4.2 Services: every crash is a restart event", async () => {
  const app = stage.open("app", { onError: () => expect.unreachable("restarts are not delivered") });
  const events: unknown[] = [];
  app.on("restart", (event) => events.push(event));
  app.service("s", crashing(2), { backoff });
  await stage.clock.advance("1s");
  expect(events).toMatchObject([
    { type: "restart", error: { message: "crash 1" }, delay: 100, task: { path: "app/s" } },
    { type: "restart", error: { message: "crash 2" }, delay: 100, task: { path: "app/s" } },
  ]);
});

test("4.2 Services: ... that of one that returned says so, and not what it returned", async () => {
  const app = stage.open();
  const events: { readonly text: string; readonly error: { readonly message: string } }[] = [];
  app.on("restart", (event) => events.push(event));
  app.service("s", () => "a value", { restart: "always", backoff });
  await stage.clock.advance("50ms");
  expect(events).toMatchObject([
    {
      text: "app/s ended in attempt 1 and runs again in 100 ms: app/s returned",
      error: { name: "Error", message: "app/s returned" },
    },
  ]);
});

test("4.2 Services: past the intensity, in that turn each owning scope up to the root goes closing, innermost first", async () => {
  const app = stage.open("app", { onError: () => {} });
  const inner = app.scope("one").scope("two");
  const beside = app.scope("beside");
  const states = journal(app, "state");
  const { run, release } = stubborn();
  for (const scope of [app, inner, beside]) scope.spawn("hold", run);
  inner.service("s", crashing(9), { backoff, intensity: { restarts: 0, within: "1m" } });
  await turn();
  const closing = states.filter((line) => line.endsWith(" closing"));
  expect(closing.slice(0, 3)).toEqual(["app/one/two closing", "app/one closing", "app closing"]);
  expect([inner.state, app.state]).toEqual(["closing", "closing"]);
  release();
});

test("4.2 Services: ... and the error is delivered once, at the root", async () => {
  const delivered: [string, string, string][] = [];
  const at = (where: string) => (error: unknown, task: { path: string }) =>
    delivered.push([where, (error as Error).message, task.path]);
  const app = stage.open("app", { onError: at("root") });
  const inner = app.scope("inner", { onError: at("inner") });
  const service = inner.service("s", crashing(9), { backoff, intensity: { restarts: 0, within: "1m" } });
  await turn();
  await turn();
  expect(delivered).toEqual([["root", "crash 1", "app/inner/s"]]);
  expect(service.state).toBe("failed");
  const report = await app.close();
  expect(JSON.stringify(report)).toContain("crash 1");
});

test("4.2 Services: ... also where the root has no onError: the default reporter, once", async () => {
  const app = stage.open();
  app.service("s", crashing(9), { backoff, intensity: { restarts: 0, within: "1m" } });
  await turn();
  await turn();
  const reports = stage.takeReports();
  expect(reports).toHaveLength(1);
  expect(reports[0]).toContain("crash 1");
  expect(app.state).toBe("closed");
});

test("4.2 Services: untilIdle() and drain ignore services, every and cron, but not their children", async () => {
  const app = stage.open();
  app.service("s", async (task) => {
    task.spawn("child", (child) => child.sleep("2s"));
    await task.sleep("365d");
  });
  app.every("e", "1h", () => {});
  app.cron("c", "0 3 * * *", () => {});
  // The service, its child, and the two schedules.
  await untilTimers(stage.clock, 4);
  const idle = track(app.untilIdle());
  await stage.clock.advance("1999ms");
  expect(idle.state).toBe("pending");
  await stage.clock.advance("1ms");
  expect(idle.state).toBe("fulfilled");
});

test("4.2 Services: drain with a service: close({ drain }) does not wait for it", async () => {
  const app = stage.open();
  const log: string[] = [];
  app.service("s", async (task) => {
    const error = await rejection(task.sleep("365d"));
    log.push(`service cancelled at ${stage.now()}`);
    throw error;
  });
  app.spawn("work", (task) => task.sleep("1s").then(() => log.push(`work done at ${stage.now()}`)));
  await turn();
  const closing = app.close({ drain: "20s" });
  await stage.clock.advance("1s");
  const report = await closing;
  expect(log).toEqual(["work done at 1000", "service cancelled at 1000"]);
  expect(report).toMatchObject({ succeeded: 1, cancelled: 1, ms: 1000 });
});

test("4.2 Services: drain waits for a service's children", async () => {
  const app = stage.open();
  let child: Task<void> | undefined;
  app.service("s", async (task) => {
    child = task.spawn("child", (inner) => inner.sleep("1s"));
    await task.sleep("365d");
  });
  await turn();
  const closing = app.close({ drain: "20s" });
  await stage.clock.advance("1s");
  await closing;
  expect(child?.state).toBe("succeeded");
});

test("4.2 Services: untilReady() waits for every service not declared ready: false, explicitly by task.ready()", async () => {
  const app = stage.open();
  const gates = [deferred(), deferred()];
  for (const [n, gate] of gates.entries()) {
    app.scope(`part${n}`).service(`s${n}`, async (task) => {
      await gate.promise;
      task.ready();
      await task.sleep("365d");
    });
  }
  app.service("background", (task) => task.sleep("365d"), { ready: false });
  const ready = track(app.untilReady());
  await turn();
  expect(ready.state).toBe("pending");
  gates[0]?.resolve();
  await turn();
  expect(ready.state).toBe("pending");
  gates[1]?.resolve();
  await turn();
  expect(ready.state).toBe("fulfilled");
});

test("4.2 Services: untilReady() resolves at once without services; ready() may be said twice", async () => {
  const app = stage.open();
  await app.untilReady();
  app.service("s", (task) => {
    task.ready();
    task.ready();
    return task.sleep("365d");
  });
  await app.untilReady();
  await app.untilReady();
});

test("4.2 Services: untilReady() outlasts a crash that is restarted", async () => {
  const app = stage.open();
  let runs = 0;
  app.service(
    "s",
    async (task) => {
      if (++runs === 1) throw new Error("crash");
      task.ready();
      await task.sleep("365d");
    },
    { backoff },
  );
  const ready = track(app.untilReady());
  await turn();
  expect(ready.state).toBe("pending");
  await stage.clock.advance("100ms");
  expect(ready.state).toBe("fulfilled");
});

const endings: [string, (app: Scope) => void][] = [
  ["returns", (app) => void app.service("s", () => {})],
  [
    "fails for good",
    (app) => void app.service("s", () => Promise.reject(new Error("boom")), { restart: "never" }),
  ],
  [
    "is cancelled",
    (app) => {
      const service = app.service("s", (task) => task.sleep("365d"));
      process.nextTick(() => void service.cancel());
    },
  ],
];

test.each(endings)(
  "4.2 Services: untilReady() rejects if one %s before it is ready",
  async (_name, begin) => {
    const app = stage.open("app", { onError: () => {} });
    begin(app);
    const error = await rejection(app.untilReady());
    expect(error).toBeInstanceOf(Error);
    // Its own error where it has one, else one that names it.
    expect((error as Error).message).toMatch(/^boom$|app\/s/);
  },
);

test("4.2 Services: a service's cancel stops it for good", async () => {
  const app = stage.open();
  const log: string[] = [];
  const service = app.service("s", crashing(0, log), { restart: "always", backoff });
  await turn();
  expect((await service.cancel()).state).toBe("cancelled");
  await stage.clock.advance("1m");
  expect(log).toHaveLength(1);
});

test("4.2 Services: a service cancelled in back-off is not started again", async () => {
  const app = stage.open();
  const log: string[] = [];
  const service = app.service("s", crashing(9, log), { backoff });
  await turn();
  expect(service.state).toBe("retrying");
  expect((await service.cancel()).state).toBe("cancelled");
  await stage.clock.advance("1m");
  expect(log).toHaveLength(1);
});

test("4.1 task.ready() outside of a service is an error or nothing, never a crash of the process", async () => {
  const app = stage.open();
  const task = app.spawn("a", (self) => {
    try {
      self.ready();
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    return "fine";
  });
  expect(await task).toBe("fine");
  expect(thrown(() => app.service("", () => {}))).toBeInstanceOf(RangeError);
});
