import { createConnection } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { InfoAnswer } from "../../src/agent/answers.ts";
import { ROUTES } from "../../src/agent/routes.ts";
import type { FindingEvent } from "../../src/index.ts";
import { useManualClock } from "../../src/testing/index.ts";
import { atEnd, agentOf, ask, faults, openapi, tidy } from "./ask.ts";

afterEach(tidy());

const forever = (): Promise<never> => new Promise<never>(() => undefined);

const finding: FindingEvent = {
  type: "finding",
  at: 1,
  text: "app/slow runs for longer than its like: look at what it waits for",
  finding: "overdue",
  path: "app/slow",
  ms: 10_000,
  advice: "look at what it waits for",
  awaiting: [{ file: "/app/slow.ts", line: 1, column: 2, function: "slow" }],
};

describe("openapi.json", () => {
  test("has every route, and no other", () => {
    const told = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(told.toSorted()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).toSorted());
  });

  test("describes what is answered", async () => {
    const { app, agent } = await agentOf({
      findings: () => [finding],
      failures: () => [{ origin: "rejection", text: "Error: no", count: 2, firstAt: 1, lastAt: 2 }],
      drain: () => undefined,
    });
    const failing = app.spawn("failing", () => Promise.reject(new Error("no", { cause: new Error("why") })), {
      retry: { attempts: 2, min: 0, jitter: "none" },
    });
    await failing.outcome();
    app.spawn(
      "keyed",
      (task) => {
        task.progress(1, 2, "pages");
        return forever();
      },
      { key: "k", attributes: { a: 1 } },
    );
    app.group("batch", async (group) => {
      await group.scope("inner").spawn("leaf", forever);
    });
    await new Promise(setImmediate);
    const answers: [schema: string, path: string, body?: unknown, status?: number][] = [
      ["Welcome", "/"],
      ["Info", "/info"],
      ["Tree", "/tree"],
      ["Tree", "/tree?each=1&limit=1"],
      ["Tasks", "/tasks"],
      ["Task", "/tasks/1"],
      ["Task", `/tasks/${failing.id + 1}`],
      ["Findings", "/findings"],
      ["Stats", "/stats"],
      ["Cancelled", "/cancel", { task: "app/keyed" }],
      ["Checked", "/check", {}],
      ["Checked", "/check", { gc: true }],
      ["Refusal", "/check", { gc: "yes" }, 400],
      ["Draining", "/drain", {}, 202],
      ["Refusal", "/nothing", undefined, 404],
    ];
    for (const [schema, path, body, status = 200] of answers) {
      const answer = await ask(agent, path, body);
      expect({ path, status: answer.status, faults: faults(schema, answer.json) }).toEqual({
        path,
        status,
        faults: [],
      });
    }
  });

  test("and would notice what is missing or too much", () => {
    expect(faults("Tasks", { schema: 1, tasks: [{ id: 1 }], more: false })).not.toEqual([]);
    expect(faults("Findings", { schema: 1, findings: [], more: 1 })).not.toEqual([]);
  });
});

describe("what is told", () => {
  test("GET / says who answers and lists the routes", async () => {
    const { agent } = await agentOf();
    const { json } = await ask(agent, "/");
    expect(json).toMatchObject({ schema: 1, name: "test", pid: process.pid });
    expect((json["routes"] as unknown as unknown[]).length).toBe(ROUTES.length);
  });

  test("GET /info counts what lives and what has ended", async () => {
    const { app, agent } = await agentOf({ findings: () => [finding] });
    await app.spawn("done", () => 1);
    app.spawn("later", () => 1, { delay: "1h" });
    app.spawn("alive", forever);
    await new Promise(setImmediate);
    const { json } = await ask(agent, "/info");
    expect(json).toMatchObject({
      name: "test",
      pid: process.pid,
      node: process.versions.node,
      versions: { holdfast: expect.stringMatching(/^\d/) as string },
      roots: [{ path: "app", state: "open" }],
      tasks: { live: 2, waiting: 1, spawned: 3, succeeded: 1 },
      findings: 1,
    });
  });

  test("the delay of the event loop is measured while somebody is connected, and only then", async () => {
    const clock = useManualClock();
    atEnd(() => clock.uninstall());
    const { agent } = await agentOf();
    // Another one who stays, so that it goes on being measured.
    const other = createConnection(agent.socket);
    atEnd(() => void other.destroy());
    await new Promise((resolve) => other.once("connect", resolve));
    const asked = ask(agent, "/info");
    // The first answer waits for it, on the clock.
    while (clock.pending === 0) await new Promise(setImmediate);
    await clock.advance("100ms");
    let info = (await asked).json as unknown as InfoAnswer;
    // The platform's timers, which it is about, go on meanwhile: at some time they have been late or not.
    while (info.loop.delay === null) info = (await ask(agent, "/info")).json as unknown as InfoAnswer;
    expect(info.loop.delay.measuredMs).toBe(100);
    expect(info.loop.delay.p99).toBeGreaterThanOrEqual(0);
  });

  test("GET /tree shows groups, children and scopes below their owners", async () => {
    const { app, agent } = await agentOf();
    app.spawn("parent", (task) => {
      task.spawn("child", forever);
      return forever();
    });
    app.group("batch", async (group) => {
      await group.scope("inner").spawn("leaf", forever);
    });
    app.scope("side", { attributes: { for: "tests" } });
    await new Promise(setImmediate);
    const { json } = await ask(agent, "/tree");
    expect(json["roots"]).toMatchObject([
      {
        path: "app",
        tasks: [
          { name: "parent", tasks: [{ path: "app/parent/child" }] },
          { name: "batch", scopes: [{ path: "app/batch/inner", tasks: [{ name: "leaf" }] }] },
        ],
        scopes: [{ path: "app/side", state: "open", attributes: { for: "tests" } }],
      },
    ]);
    expect(json["roots"]).toEqual([expect.not.objectContaining({ omitted: expect.anything() as unknown })]);
  });

  test("GET /tree is bounded, breadth first, and counts what it leaves out", async () => {
    const { app, agent } = await agentOf();
    for (let at = 0; at < 30; at++) app.spawn(at % 3 === 0 ? "mail" : "deliver", forever);
    const side = app.scope("side");
    side.spawn("one", forever);
    for (let at = 0; at < 5; at++) app.scope(`s${at}`);
    const few = (await ask(agent, "/tree?each=2")).json as unknown as { roots: Record<string, unknown>[] };
    expect(few.roots[0]).toMatchObject({
      tasks: [{ name: "mail" }, { name: "deliver" }],
      omitted: { count: 28, names: { deliver: 19, mail: 9 } },
      scopes: [{ path: "app/side", tasks: [{ name: "one" }] }, { path: "app/s0" }],
      omittedScopes: 4,
    });
    const none = (await ask(agent, "/tree?limit=1")).json as unknown as { roots: Record<string, unknown>[] };
    expect(none.roots[0]).toMatchObject({
      tasks: [{}],
      omitted: { count: 29 },
      scopes: [],
      omittedScopes: 6,
    });
  });

  test("a tree deeper than JSON can be told: as deep as it can, and what is below is counted", async () => {
    const { app, agent } = await agentOf();
    let scope = app;
    for (let depth = 0; depth < 20_000; depth++) scope = scope.scope("s");
    scope.spawn("deepest", forever);
    const { status, text } = await ask(agent, "/tree?limit=100000");
    expect(status).toBe(200);
    expect(text.match(/"omittedScopes":1/g)).toHaveLength(1);
    expect(text.match(/"name":"s"/g)?.length).toBe(500);
  });

  test("GET /tasks: live ones, then records; by state, name and number", async () => {
    const { app, agent } = await agentOf();
    const first = app.spawn("mail", () => 1);
    await first;
    await app.spawn("mail", () => Promise.reject(new Error("no"))).outcome();
    app.spawn("mail", forever);
    app.spawn("other", forever);
    await new Promise(setImmediate);
    const told = async (query: string): Promise<unknown> => {
      const { tasks, more } = (await ask(agent, `/tasks${query}`)).json as unknown as {
        tasks: { id: number }[];
        more: boolean;
      };
      return [tasks.map(({ id }) => id), more];
    };
    expect(await told("")).toEqual([[3, 4, 2, 1], false]);
    expect(await told("?limit=2")).toEqual([expect.any(Array), true]);
    expect(await told("?state=failed")).toEqual([[2], false]);
    expect(await told("?name=mail&state=running")).toEqual([[3], false]);
    expect(await told("?only=live")).toEqual([[3, 4], false]);
    expect(await told("?only=ended&limit=1")).toEqual([[2], true]);
    expect(await told("?name=nobody")).toEqual([[], false]);
  });

  test("GET /tasks/:id: a live task, a record, none", async () => {
    const { app, agent } = await agentOf();
    await app.spawn("done", () => 1);
    app.spawn("alive", (task) => task.spawn("child", forever));
    await new Promise(setImmediate);
    expect((await ask(agent, "/tasks/1")).json["task"]).toMatchObject({ name: "done", state: "succeeded" });
    expect((await ask(agent, "/tasks/2")).json["task"]).toMatchObject({
      name: "alive",
      tasks: [{ name: "child" }],
    });
    expect(await ask(agent, "/tasks/99")).toMatchObject({
      status: 404,
      json: { error: { code: "HF_NO_TASK" } },
    });
    expect(await ask(agent, "/tasks/x")).toMatchObject({
      status: 400,
      json: { error: { code: "HF_BAD_REQUEST" } },
    });
  });

  test("an agent without a scope tells of every root; an id that fits several is refused with them", async () => {
    const { app, agent } = await agentOf({ scope: undefined as never });
    const { openScope } = await import("../../src/index.ts");
    const second = openScope("second", { grace: 0, onError: () => undefined });
    atEnd(async () => void (await second.cancel()));
    app.spawn("a", forever);
    second.spawn("b", forever);
    const { roots } = (await ask(agent, "/tree")).json as unknown as { roots: { name: string }[] };
    expect(roots.map(({ name }) => name)).toEqual(["app", "second"]);
    const answer = await ask(agent, "/tasks/1");
    expect(answer).toMatchObject({
      status: 409,
      json: { error: { code: "HF_AMBIGUOUS", candidates: [{ path: "app/a" }, { path: "second/b" }] } },
    });
    expect(faults("Refusal", answer.json)).toEqual([]);
  });

  test("an agent of a scope tells of what is in it, and of nothing beside", async () => {
    const { app } = await agentOf();
    const side = app.scope("side");
    const { agent } = await agentOf({ scope: side });
    await app.spawn("outside", () => 1);
    await side.spawn("inside", () => 1);
    app.spawn("outside", forever);
    side.spawn("inside", forever);
    const { tasks } = (await ask(agent, "/tasks")).json as unknown as { tasks: { name: string }[] };
    expect(tasks.map(({ name }) => name)).toEqual(["inside", "inside"]);
    expect((await ask(agent, "/info")).json).toMatchObject({ tasks: { live: 1, spawned: 2, succeeded: 1 } });
  });

  test("GET /metrics is what Prometheus reads", async () => {
    const { app, agent } = await agentOf({ findings: () => [finding] }, { records: 10 });
    await app.spawn('odd "name"\\', () => 1);
    const { type, text } = await ask(agent, "/metrics");
    expect(type).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(text).toContain(
      String.raw`holdfast_tasks_ended_total{root="app",name="odd \"name\"\\",state="succeeded"} 1`,
    );
    expect(text).toContain('holdfast_findings{finding="overdue"} 1\n');
    for (const line of text.trimEnd().split("\n"))
      expect(line).toMatch(/^(# (HELP|TYPE) holdfast_\w+ .+|holdfast_\w+(\{.*\})? [\d.e+-]+)$/);
  });

  test("attributes that do not go into JSON spoil nothing", async () => {
    const { app, agent } = await agentOf();
    app.spawn("odd", forever, { attributes: { big: 1n } });
    const { json } = await ask(agent, "/tasks");
    expect(json["tasks"]).toMatchObject([{ name: "odd", attributes: { "[not JSON]": true } }]);
  });
});

describe("what is done", () => {
  test("POST /cancel answers when the task has ended, clean-up included", async () => {
    const { app, agent } = await agentOf();
    let cleanUp: () => void = () => undefined;
    const hasCleanedUp = new Promise<void>((resolve) => (cleanUp = resolve));
    let isIn = (): void => undefined;
    const inCleanUp = new Promise<void>((resolve) => (isIn = resolve));
    const task = app.spawn("mail", async (own) => {
      own.defer(() => {
        isIn();
        return hasCleanedUp;
      });
      await own.sleep("1h");
    });
    await new Promise(setImmediate);
    const answer = ask(agent, "/cancel", { task: "app/mail", reason: "not today" });
    await inCleanUp;
    expect(task.state).toBe("cancelling");
    cleanUp();
    expect((await answer).json["cancelled"]).toMatchObject([
      { id: task.id, state: "cancelled", error: { message: expect.stringContaining("not today") as string } },
    ]);
  });

  test("by id, by id as text, with all that a path fits", async () => {
    const { app, agent } = await agentOf();
    const tasks = Array.from({ length: 25 }, () => app.spawn("mail", forever, { grace: 0 }));
    const first = tasks[0]?.id ?? 0;
    expect((await ask(agent, "/cancel", { task: first })).status).toBe(200);
    expect((await ask(agent, "/cancel", { task: `#${first + 1}` })).status).toBe(200);
    const refused = await ask(agent, "/cancel", { task: "app/mail" });
    expect(refused).toMatchObject({ status: 409, json: { error: { code: "HF_AMBIGUOUS" } } });
    expect((refused.json as unknown as { error: { candidates: unknown[] } }).error.candidates).toHaveLength(
      20,
    );
    const { cancelled } = (await ask(agent, "/cancel", { task: "app/mail", all: true })).json as unknown as {
      cancelled: { state: string }[];
    };
    expect(cancelled).toHaveLength(23);
  });

  test("one that has ended, or never was, is told apart", async () => {
    const { app, agent } = await agentOf();
    await app.spawn("done", () => 1);
    expect(await ask(agent, "/cancel", { task: 1 })).toMatchObject({
      status: 409,
      json: { error: { code: "HF_TASK_ENDED", message: "app/done (#1) has ended: succeeded" } },
    });
    const none = await ask(agent, "/cancel", { task: "app/no" });
    expect(none).toMatchObject({ status: 404, json: { error: { code: "HF_NO_TASK" } } });
    expect(none.text).not.toContain("candidates");
    app.scope("side").spawn("mail", forever);
    expect(await ask(agent, "/cancel", { task: "mail" })).toMatchObject({
      status: 404,
      json: { error: { code: "HF_NO_TASK", candidates: [{ path: "app/side/mail" }] } },
    });
  });

  test("POST /drain begins the end, and says of what", async () => {
    const { app, agent } = await agentOf();
    app.spawn("alive", (task) => task.sleep("1h"));
    const { status, json } = await ask(agent, "/drain", { reason: "deploy" });
    expect({ status, json }).toEqual({
      status: 202,
      json: { schema: 1, at: expect.any(Number) as number, draining: ["app"] },
    });
    expect(app.state).not.toBe("open");
    await app.close();
  });
});

describe("what is refused says why, and what there is", () => {
  test.each<[string, unknown, number, string, RegExp]>([
    ["/nothing", undefined, 404, "HF_NO_ROUTE", /there is no \/nothing/],
    ["/tasks/1/2", undefined, 404, "HF_NO_ROUTE", /there is no/],
    ["/cancel", undefined, 405, "HF_WRONG_METHOD", /is to be asked with POST/],
    ["/tree", {}, 405, "HF_WRONG_METHOD", /is to be asked with GET/],
    ["/tree?limit=0", undefined, 400, "HF_BAD_REQUEST", /limit is "0": expected a number from 1/],
    ["/tree?limit=1e3", undefined, 400, "HF_BAD_REQUEST", /limit is "1e3"/],
    ["/tasks?limit=999999999", undefined, 400, "HF_BAD_REQUEST", /to 10000/],
    ["/tasks?state=dead", undefined, 400, "HF_BAD_REQUEST", /expected waiting, running/],
    [
      "/tasks?stat=dead",
      undefined,
      400,
      "HF_BAD_REQUEST",
      /does not know the parameter "stat": it takes limit, state, name, only/,
    ],
    ["/info?x=1", undefined, 400, "HF_BAD_REQUEST", /it takes none/],
    ["/events?type=end,begin", undefined, 400, "HF_BAD_REQUEST", /type is "begin"/],
    ["/cancel", "{", 400, "HF_BAD_REQUEST", /the body is no JSON/],
    ["/cancel", "[1]", 400, "HF_BAD_REQUEST", /an object of JSON/],
    ["/cancel", "null", 400, "HF_BAD_REQUEST", /an object of JSON/],
    ["/cancel", {}, 400, "HF_BAD_REQUEST", /the id of a task, or its path/],
    ["/cancel", { task: 1.5 }, 400, "HF_BAD_REQUEST", /the id of a task/],
    ["/cancel", { task: 1, al: true }, 400, "HF_BAD_REQUEST", /does not know the field "al"/],
    ["/cancel", { task: 1, all: "yes" }, 400, "HF_BAD_REQUEST", /all has to be true or false/],
    ["/drain", { reason: 1 }, 400, "HF_BAD_REQUEST", /reason has to be a text|through/],
    ["/cancel", "x".repeat(70_000), 413, "HF_TOO_LARGE", /longer than 65536 bytes/],
  ])("%s %j", async (path, body, status, code, message) => {
    const { agent } = await agentOf();
    const answer = await ask(agent, path, body);
    expect({ status: answer.status, error: answer.json["error"] }).toMatchObject({
      status,
      error: { code, message: expect.stringMatching(message) as string },
    });
    expect(faults("Refusal", answer.json)).toEqual([]);
  });

  test("an unknown path lists the routes; a wrong method says which in Allow", async () => {
    const { agent } = await agentOf();
    const { json } = await ask(agent, "/nothing");
    const { routes } = json["error"] as unknown as { routes: { path: string }[] };
    expect(routes.map(({ path }) => path)).toContain("/findings");
    expect((await ask(agent, "/cancel")).headers.allow).toBe("POST");
    expect((await ask(agent, "/tree", undefined, "DELETE")).status).toBe(405);
  });

  test("what is no HTTP is answered by no crash", async () => {
    const { agent } = await agentOf();
    const socket = createConnection(agent.socket, () => void socket.end("hello?\r\n\r\n"));
    let text = "";
    socket.on("data", (part: Buffer) => (text += part.toString()));
    await new Promise((resolve) => socket.once("close", resolve));
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect((await ask(agent, "/")).status).toBe(200);
  });
});
