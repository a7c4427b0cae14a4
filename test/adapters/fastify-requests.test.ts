import Fastify from "fastify";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";

import holdfast from "../../src/adapters/fastify.ts";
import { currentTask, openScope, sleep, spawn, watch } from "../../src/index.ts";
import type { FindingEvent, Scope, Task, TaskInfo } from "../../src/index.ts";
import { leakGate } from "../../src/testing/index.ts";
import { call, callAndHold, closeServed, gate, serve } from "./serve.ts";

// The last one runs first.
afterEach(leakGate());
afterEach(closeServed);

const ended = (scope: Scope, name: string): TaskInfo | undefined =>
  [...scope.tasks()].find((task) => task.name === name && task.endedAt !== undefined);

test("a handler runs inside its request's scope: the ambient spawn is that scope's", async () => {
  const { port } = await serve((app) => {
    app.get("/users/:id", async (request) => {
      const task = spawn("look", () => "seen");
      await sleep(1);
      return { own: request.scope.path, task: task.path, current: currentTask()?.path, saw: await task };
    });
  });
  const { text } = await call(port, "/users/7");
  expect(JSON.parse(text)).toEqual({
    own: "app/requests/req-1",
    task: "app/requests/req-1/look",
    current: "app/requests/req-1/GET /users/:id",
    saw: "seen",
  });
});

test("hooks run inside it too, and so does a handler behind a body that had to be read", async () => {
  const paths: (string | undefined)[] = [];
  const { port } = await serve((app) => {
    for (const name of ["onRequest", "preValidation", "preHandler"] as const) {
      app.addHook(name, async () => {
        paths.push(currentTask()?.path);
      });
    }
    app.post("/orders", async () => {
      paths.push(currentTask()?.path);
      return {};
    });
  });
  const body = JSON.stringify({ text: "x".repeat(200_000) });
  const headers = { "content-type": "application/json" };
  expect((await call(port, "/orders", { method: "POST", body, headers })).status).toBe(200);
  expect(paths).toEqual(Array.from({ length: 4 }, () => "app/requests/req-1/POST /orders"));
});

test("two requests at once have a scope each, and the one's end does not touch the other's", async () => {
  const arrived = gate<Scope>();
  const slow = gate();
  const { port } = await serve((app) => {
    app.get("/first", async (request) => {
      arrived.open(request.scope);
      await request.scope.spawn("own", () => slow.promise);
      return { state: request.scope.state, spawned: spawn("more", () => undefined).path };
    });
    app.get("/second", async (request) => {
      spawn("own", (task) => task.sleep("1h"));
      return request.scope.path;
    });
  });
  const first = call(port, "/first");
  const scope = await arrived.promise;
  expect((await call(port, "/second")).text).toBe("app/requests/req-2");
  expect([scope.path, scope.state, scope.stats().live]).toEqual(["app/requests/req-1", "open", 2]);
  slow.open();
  expect(JSON.parse((await first).text)).toEqual({ state: "open", spawned: "app/requests/req-1/more" });
});

test("what is left in the scope when the response was sent is cancelled, and the scope closes", async () => {
  const left = gate<[Task<void>]>();
  const { port, scope } = await serve((app) => {
    app.get("/", async (request) => {
      left.open([request.scope.spawn("left", (task) => task.sleep("1h"))]);
      return request.scope.path;
    });
  });
  await call(port, "/");
  const [task] = await left.promise;
  const outcome = await task.outcome();
  expect(outcome).toMatchObject({ state: "cancelled", reason: { reason: "the response was sent" } });
  await scope.untilIdle();
  expect(scope.tree().scopes.find(({ name }) => name === "requests")?.scopes).toEqual([]);
  expect(ended(scope, "GET /")).toMatchObject({ state: "succeeded" });
});

test("a client that goes away cancels the request's tasks, its handler and what the handler awaits", async () => {
  // In a list, for a promise would wait for a task.
  const started = gate<[Task<void>]>();
  const thrown = gate<unknown>();
  const { port, scope } = await serve((app) => {
    app.get("/", async (request) => {
      started.open([request.scope.spawn("work", (task) => task.sleep("1h"))]);
      await sleep("1h").catch((error: unknown) => {
        thrown.open(error);
        throw error;
      });
    });
  });
  const client = callAndHold(port, "/");
  const [task] = await started.promise;
  client.destroy();
  expect(await task.outcome()).toMatchObject({
    state: "cancelled",
    reason: { reason: "the client went away" },
  });
  expect(await thrown.promise).toMatchObject({ name: "AbortError", reason: "the client went away" });
  await scope.untilIdle();
  expect(ended(scope, "GET /")).toMatchObject({ state: "cancelled" });
});

test("a handler that is cancelled when nobody is left to be answered is no error: no error hook runs, the log says it in a line", async () => {
  const lines: string[] = [];
  const errors: string[] = [];
  const started = gate();
  const { port, scope } = await serve(
    (app) => {
      app.addHook("onError", (_request, _reply, error, done) => {
        errors.push(error.message);
        done();
      });
      app.get("/listens", async () => {
        started.open();
        await sleep("1h");
      });
      app.get("/lingers", async (_request, reply) => {
        reply.send("answered");
        await sleep("1h");
      });
      app.get("/fails", async (request) => {
        await new Promise((resolve) => request.scope.signal.addEventListener("abort", resolve));
        throw new Error("of its own");
      });
    },
    { server: { logger: { level: "info", stream: { write: (line: string) => void lines.push(line) } } } },
  );
  const client = callAndHold(port, "/listens");
  await started.promise;
  client.destroy();
  await scope.untilIdle();
  expect((await call(port, "/lingers")).text).toBe("answered");
  await scope.untilIdle();
  const other = callAndHold(port, "/fails");
  await new Promise((resolve) => scope.on("start", resolve));
  other.destroy();
  await scope.untilIdle();
  const said = lines.map((line) => JSON.parse(line) as { level: number; msg: string });
  expect(said.filter(({ msg }) => msg === "the client went away").map(({ level }) => level)).toEqual([30]);
  expect(said.filter(({ msg }) => msg === "the response was sent").map(({ level }) => level)).toEqual([30]);
  expect(said.filter(({ level }) => level > 30).map(({ msg }) => msg)).toEqual(["of its own"]);
  expect(errors).toEqual(["of its own"]);
});

test("the request lasts until its handler has returned, though the client is gone and it does not listen", async () => {
  const started = gate();
  const release = gate();
  const gone = gate();
  const { port, scope } = await serve((app) => {
    app.get("/", async (request) => {
      request.scope.signal.addEventListener("abort", () => gone.open());
      started.open();
      await release.promise;
    });
  });
  const client = callAndHold(port, "/");
  await started.promise;
  client.destroy();
  await gone.promise;
  expect([...scope.tasks()].map(({ name, state }) => `${name} ${state}`)).toEqual(["GET / cancelling"]);
  release.open();
  await scope.untilIdle();
  expect(ended(scope, "GET /")).toMatchObject({ state: "cancelled" });
});

test("a handler that never listens is abandoned after its grace, by name, as any task", async () => {
  const heard = gate<string>();
  const started = gate();
  const { port } = await serve(
    (app) => {
      app.get("/stubborn", async () => {
        started.open();
        await gate().promise;
      });
    },
    { root: { grace: 10, onError: (error, task) => heard.open(`${task.path}: ${(error as Error).name}`) } },
  );
  const client = callAndHold(port, "/stubborn");
  await started.promise;
  client.destroy();
  expect(await heard.promise).toBe("app/requests/req-1/GET /stubborn: TaskAbandonedError");
});

test("background tasks survive the client and the request, and remember which one they came from", async () => {
  const started = gate<[Task<string>]>();
  const gone = gate();
  const release = gate();
  const { port, scope } = await serve((app) => {
    app.post("/orders/:id", async (request) => {
      request.scope.signal.addEventListener("abort", () => gone.open());
      const task = app.background.spawn("mail", async () => {
        await release.promise;
        // Started from what the request started, deep inside and later: still its.
        await app.background.spawn("log", () => undefined, { attributes: { level: "info" } });
        return "sent";
      });
      started.open([task]);
      await sleep("1h");
    });
  });
  const client = callAndHold(port, "/orders/9", "POST");
  const [task] = await started.promise;
  client.destroy();
  await gone.promise;
  expect(task.info()).toMatchObject({ path: "app/background/mail", state: "running" });
  expect(task.info().attributes).toMatchObject({ method: "POST", route: "/orders/:id" });
  const { request } = task.info().attributes;
  expect(request).toMatch(/^req-\d+$/);
  release.open();
  expect(await task).toBe("sent");
  expect(ended(scope, "log")?.attributes).toEqual({
    request,
    method: "POST",
    route: "/orders/:id",
    level: "info",
  });
});

test("a scope or a group opened on the background remembers as well; what no request started has nothing to remember", async () => {
  const { port, scope, app } = await serve((it) => {
    const mails = it.background.scope("mails");
    it.get("/", async () => {
      await mails.spawn("one", () => undefined);
      await it.background.group("many", (many) => void many.spawn("member", () => undefined));
      await it.background.map("each", [1], () => undefined);
      await it.background.adopt("other", Promise.resolve());
      return {};
    });
  });
  await call(port, "/");
  const origin = { request: "req-1", method: "GET", route: "/" };
  for (const name of ["one", "many", "each", "other"])
    expect(ended(scope, name)?.attributes, name).toEqual(origin);
  await app.background.spawn("by itself", () => undefined);
  expect(ended(scope, "by itself")?.attributes).toEqual({});
});

test("an encapsulated plugin sees the decorators, and its routes are requests like others", async () => {
  const { port } = await serve(async (app) => {
    await app.register(
      async (child) => {
        expect(child.background).toBe(app.background);
        child.get("/inside", async (request) => ({ path: request.scope.path, task: currentTask()?.name }));
      },
      { prefix: "/v1" },
    );
  });
  const { text } = await call(port, "/v1/inside");
  expect(JSON.parse(text)).toEqual({ path: "app/requests/req-1", task: "GET /v1/inside" });
});

test("routes that were declared before the plugin was loaded have a scope too", async () => {
  const scope = openScope("app");
  const app = Fastify();
  app.register(holdfast, { scope });
  app.get("/", async (request) => ({ path: request.scope.path, task: currentTask()?.name }));
  expect((await app.inject("/")).json()).toEqual({ path: "app/requests/req-1", task: "GET /" });
  await scope.close();
});

test("a streaming response is one request until its last byte, and its source can read from the scope", async () => {
  const states: string[] = [];
  const { port, scope } = await serve((app) => {
    app.get("/", (request, reply) => {
      async function* lines(): AsyncGenerator<string> {
        for (let n = 0; n < 3; n++) {
          await request.scope.spawn("line", (task) => task.sleep(1));
          states.push(request.scope.state);
          yield `${n}\n`;
        }
      }
      reply.type("text/plain").send(Readable.from(lines()));
    });
  });
  expect((await call(port, "/")).text).toBe("0\n1\n2\n");
  expect(states).toEqual(["open", "open", "open"]);
  await scope.untilIdle();
  expect(ended(scope, "GET /")).toMatchObject({ state: "succeeded" });
});

test("a client that goes away in the middle of a stream ends the request, and the stream", async () => {
  const destroyed = gate();
  const { port, scope } = await serve((app) => {
    app.get("/", (_request, reply) => {
      const endless = new Readable({
        read: () => undefined,
        destroy: (_error, done) => (destroyed.open(), done(null)),
      });
      endless.push("first\n");
      reply.type("text/plain").send(endless);
    });
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  socket.destroy();
  await destroyed.promise;
  await scope.untilIdle();
  expect(ended(scope, "GET /")).toMatchObject({ state: "cancelled" });
});

test("a hijacked reply is a request until it ends, whoever writes it", async () => {
  const release = gate();
  const { port, scope } = await serve((app) => {
    app.get("/", (request, reply) => {
      reply.hijack();
      request.scope.spawn("writer", async () => {
        reply.raw.writeHead(200);
        await release.promise;
        reply.raw.end(request.scope.state);
      });
    });
  });
  const answer = call(port, "/");
  release.open();
  expect((await answer).text).toBe("open");
  await scope.untilIdle();
  expect(ended(scope, "GET /")).toMatchObject({ state: "succeeded" });
});

test("`return reply`, a callback's `reply.send` and a lazy thenable are answered as ever, each once", async () => {
  let runs = 0;
  const { port } = await serve((app) => {
    app.get("/reply", async (_request, reply) => {
      reply.send({ via: "reply" });
      return reply;
    });
    app.get("/sync-reply", (_request, reply) => reply.send({ via: "sync reply" }));
    app.get("/callback", (_request, reply) => {
      setImmediate(() => void reply.send({ via: "callback" }));
    });
    // A query builder does its work when somebody calls `then`.
    const lazy = { then: (resolve: (value: unknown) => void) => resolve({ via: "thenable", runs: ++runs }) };
    app.get("/thenable", () => lazy as never);
    app.get("/task", (request) => request.scope.spawn("answer", () => ({ via: "task" })) as never);
  });
  const via = async (path: string): Promise<unknown> => JSON.parse((await call(port, path)).text);
  expect(await via("/reply")).toEqual({ via: "reply" });
  expect(await via("/sync-reply")).toEqual({ via: "sync reply" });
  expect(await via("/callback")).toEqual({ via: "callback" });
  expect(await via("/thenable")).toEqual({ via: "thenable", runs: 1 });
  expect(await via("/task")).toEqual({ via: "task" });
});

test("a handler's error is answered by Fastify's error handler, inside the request, and is no task's failure", async () => {
  const heard: unknown[] = [];
  const { port, scope } = await serve(
    (app) => {
      app.setErrorHandler((error: Error, request, reply) => {
        reply.code(418).send({ message: error.message, path: request.scope.path, task: currentTask()?.name });
      });
      app.get("/", async () => {
        await sleep(1);
        throw new Error("no tea");
      });
    },
    { root: { onError: (error) => heard.push(error) } },
  );
  const { status, text } = await call(port, "/");
  expect([status, JSON.parse(text)]).toEqual([
    418,
    { message: "no tea", path: "app/requests/req-1", task: "GET /" },
  ]);
  await scope.untilIdle();
  expect(heard).toEqual([]);
  expect(ended(scope, "GET /")).toMatchObject({ state: "succeeded" });
});

test("a failure that no handler awaits reaches the scope's onError, while the request is answered", async () => {
  const heard: string[] = [];
  const { port, scope } = await serve(
    (app) => {
      app.get("/", async (request) => {
        spawn("ambient", () => Promise.reject(new Error("one")));
        request.scope.spawn("own", () => Promise.reject(new Error("two")));
        app.background.spawn("background", () => Promise.reject(new Error("three")));
        await sleep(5);
        return "fine";
      });
    },
    { root: { onError: (error, task) => heard.push(`${task.path}: ${(error as Error).message}`) } },
  );
  expect((await call(port, "/")).text).toBe("fine");
  await scope.untilIdle();
  expect(heard.toSorted()).toEqual([
    "app/background/background: three",
    "app/requests/req-1/ambient: one",
    "app/requests/req-1/own: two",
  ]);
});

test("what no route matches is a request too, under one name", async () => {
  const { port, scope } = await serve(() => undefined);
  expect((await call(port, "/nowhere/1")).status).toBe(404);
  expect((await call(port, "/nowhere/2")).status).toBe(404);
  await scope.untilIdle();
  expect(Object.keys(scope.stats().names)).toEqual(["GET (none)"]);
});

test("a thousand requests leave no scope, no task and no listener behind", async () => {
  const { app, scope } = await serve((it) => {
    it.get("/", async (request) => {
      request.scope.spawn("left", (task) => task.sleep("1h"));
      return {};
    });
  });
  for (let n = 0; n < 1_000; n++) await app.inject("/");
  await scope.untilIdle();
  const requests = scope.tree().scopes.find(({ name }) => name === "requests");
  expect(requests).toMatchObject({ tasks: [], scopes: [] });
  expect(scope.stats()).toMatchObject({ live: 0, succeeded: 1_000, cancelled: 1_000 });
});

test("app.inject is a request like others, a dead client included", async () => {
  const { app } = await serve((it) => {
    it.get("/", async (request) => request.scope.path);
  });
  expect((await app.inject("/")).body).toBe("app/requests/req-1");
});

test("without a scope the plugin says so", async () => {
  const app = Fastify();
  app.register(holdfast, {} as never);
  await expect(app.ready()).rejects.toThrow("app.register(holdfast, { scope })");
});

test("what a request has spawned elsewhere is adrift when it outlives the request for long", async () => {
  const elsewhere = gate<[Task<void>]>();
  const { port, scope } = await serve((app) => {
    app.get("/orders/:id", () => {
      elsewhere.open([app.background.spawn("index", (task) => task.sleep("1h"))]);
      return {};
    });
  });
  scope.spawn("index", (task) => task.sleep("1h"));
  const found = gate<FindingEvent>();
  scope.on("finding", found.open);
  const watching = watch(scope, { sweep: 10, adriftAfter: 20, linesEvery: false, blockAfter: false });
  await call(port, "/orders/7");
  const event = await found.promise;
  expect(event).toMatchObject({
    finding: "adrift",
    path: "app/background/index",
    task: { attributes: { route: "/orders/:id" } },
  });
  expect(event.text).toMatch(
    /still runs \d+ ms after the end of the request that it was spawned in: give it a timeout/,
  );
  const [task] = await elsewhere.promise;
  expect(event.task?.id).toBe(task.id);
  expect(watching.findings()).toHaveLength(1);
});
