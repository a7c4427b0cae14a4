import Fastify from "fastify";
import { Agent } from "node:http";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";

import { holdfast } from "../../src/adapters/fastify.ts";
import { gateOf } from "../../src/core/intake.ts";
import { openScope, sleep, spawn } from "../../src/index.ts";
import type { Task } from "../../src/index.ts";
import { leakGate } from "../../src/testing/index.ts";
import { call, callAndHold, closeServed, gate, serve } from "./serve.ts";

afterEach(leakGate());
afterEach(closeServed);

/** What the client hears until the connection ends. */
function heard(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

test("closing the app drains its requests and its background tasks, and then closes its scopes, not their owner", async () => {
  const order: string[] = [];
  const started = gate();
  const release = gate();
  const { app, port, scope } = await serve((it) => {
    it.get("/", async () => {
      it.background.spawn("mail", async (task) => {
        await release.promise;
        await task.sleep(1);
        order.push("mail sent");
      });
      started.open();
      await release.promise;
      await spawn("last", () => order.push("last of the request"));
      return "answered";
    });
  });
  const answer = call(port, "/");
  await started.promise;
  const closed = app.close().then(() => order.push("app closed"));
  release.open();
  expect((await answer).text).toBe("answered");
  await closed;
  expect(order.toSorted()).toEqual(["app closed", "last of the request", "mail sent"]);
  expect(order.at(-1)).toBe("app closed");
  expect([scope.state, app.background.state]).toEqual(["open", "closed"]);
});

test("what Fastify's own onClose hooks close is closed after the tasks that use it, whichever plugin came first", async () => {
  const order: string[] = [];
  const scope = openScope("app");
  const app = Fastify();
  app.addHook("onClose", async () => void order.push("opened before"));
  await app.register(holdfast, { scope });
  app.addHook("onClose", async () => void order.push("opened after"));
  await app.register(async (child) => {
    child.addHook("onClose", async () => void order.push("opened in a child"));
  });
  await app.ready();
  app.background.spawn("user", async (task) => {
    await task.sleep(20);
    order.push("task ended");
  });
  await app.close();
  expect(order).toEqual(["task ended", "opened in a child", "opened after", "opened before"]);
  await scope.close();
});

test("when drain is over, what still runs is cancelled", async () => {
  const { app } = await serve(() => undefined, { plugin: { drain: 10 } });
  const task = app.background.spawn("long", (it) => it.sleep("1h"));
  await app.close();
  expect(await task.outcome()).toMatchObject({
    state: "cancelled",
    reason: { reason: "the app was closed" },
  });
});

test("the app closes with the scope that owns it, and before what the scope had opened earlier", async () => {
  const order: string[] = [];
  const scope = openScope("app");
  scope.defer(() => order.push("pool closed"));
  const app = Fastify();
  app.addHook("onClose", async () => void order.push("app closed"));
  await app.register(holdfast, { scope });
  app.get("/", async () => "answered");
  await app.listen({ port: 0, host: "127.0.0.1" });
  app.background.spawn("user", async (task) => {
    await task.sleep(20);
    order.push("task ended");
  });
  const report = await scope.close({ drain: "10s" });
  expect(order).toEqual(["task ended", "app closed", "pool closed"]);
  expect(app.server.listening).toBe(false);
  expect(report).toMatchObject({ errors: [], abandoned: [] });
});

test("while its scope drains, a request that runs may still spawn, for itself and in the background", async () => {
  const started = gate();
  const release = gate();
  const done: string[] = [];
  const { port, scope } = await serve((app) => {
    app.get("/", async (request) => {
      started.open();
      await release.promise;
      await spawn("ambient", () => done.push("ambient"));
      await request.scope.spawn("own", () => done.push("own"));
      app.background.spawn("mail", async (task) => {
        await task.sleep(1);
        done.push("mail");
      });
      return { state: request.scope.state };
    });
  });
  const answer = call(port, "/");
  await started.promise;
  const closing = scope.close({ drain: "10s" });
  expect(scope.state).toBe("draining");
  release.open();
  expect(JSON.parse((await answer).text)).toEqual({ state: "draining" });
  await closing;
  expect(done).toEqual(["ambient", "own", "mail"]);
});

test("readiness says no at the first step, while everything is still served; at the second nothing new comes in", async () => {
  const { port, scope, app } = await serve((it) => {
    it.get("/", async () => "served");
  });
  const ask = async (path: string): Promise<[number, string]> => {
    const { status, text } = await call(port, path);
    return [status, text];
  };
  expect(await ask("/healthz")).toEqual([200, '{"status":"ok"}']);
  expect(await ask("/readyz")).toEqual([200, '{"status":"ok"}']);

  gateOf(scope).sayNotReady();
  expect(await ask("/readyz")).toEqual([503, '{"status":"not ready"}']);
  expect(await ask("/healthz")).toEqual([200, '{"status":"ok"}']);
  expect(await ask("/")).toEqual([200, "served"]);

  await gateOf(scope).stop();
  await expect(call(port, "/")).rejects.toThrow("ECONNREFUSED");
  expect([app.server.listening, scope.state]).toEqual([false, "open"]);
});

test("health can be asked for elsewhere, or nowhere, and is no request", async () => {
  const elsewhere = await serve(() => undefined, { plugin: { health: { live: "/live", ready: "/ready" } } });
  const nowhere = await serve(() => undefined, { plugin: { health: false } });
  const asked = [
    await call(elsewhere.port, "/live"),
    await call(elsewhere.port, "/ready"),
    await call(elsewhere.port, "/ready", { method: "HEAD" }),
    await call(elsewhere.port, "/healthz"),
    await call(nowhere.port, "/healthz"),
    await call(nowhere.port, "/readyz"),
  ];
  expect(asked.map(({ status }) => status)).toEqual([200, 200, 200, 404, 404, 404]);
  expect(asked[0]?.headers["cache-control"]).toBe("no-store");
  expect(elsewhere.scope.stats().spawned).toBe(1);
});

test("a keep-alive connection does not hold up shutdown, idle or just used", async () => {
  const agent = new Agent({ keepAlive: true });
  const { app, port, scope } = await serve(
    (it) => {
      it.get("/", async () => "answered");
    },
    { server: { forceCloseConnections: false, keepAliveTimeout: 3_600_000 } },
  );
  const silent = connect(port, "127.0.0.1");
  await call(port, "/", { agent });
  const closing = scope.close({ drain: "1h" });
  expect(await heard(silent)).toBe("");
  await closing;
  expect(app.server.listening).toBe(false);
  agent.destroy();
});

test("a request that comes in while the app closes is refused, and its connection ended", async () => {
  const { port, scope } = await serve(
    (app) => {
      app.get("/", async () => "never");
    },
    { server: { return503OnClosing: false } },
  );
  const socket = connect(port, "127.0.0.1");
  const text = heard(socket);
  // On its way already, so that the server does not close the connection as an idle one.
  await new Promise<void>((resolve) => socket.write("GET / HTTP/1.1\r\nhost: x\r\n", () => resolve()));
  await call(port, "/healthz");
  const release = gate();
  scope.spawn("holds it up", () => release.promise);
  const closing = scope.close({ drain: "10s" });
  socket.write("\r\n");
  expect(await text).toMatch(
    /^HTTP\/1.1 503 Service Unavailable\r\n[^]*connection: close[^]*the server is shutting down/i,
  );
  release.open();
  await closing;
});

test("an upgraded connection, of which Fastify knows nothing, does not hold up shutdown", async () => {
  const { app, port, scope } = await serve(() => undefined);
  app.server.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  const ended = heard(socket);
  await scope.close({ drain: "1h" });
  await ended;
  expect(app.server.listening).toBe(false);
});

test("a hijacked connection, as websockets have, does not hold up shutdown; the tasks it started do", async () => {
  const started = gate<[Task<string>]>();
  const release = gate();
  const { port, scope } = await serve((app) => {
    app.get("/", async (request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200);
      reply.raw.write("open\n");
      started.open([request.scope.spawn("message", async () => release.promise.then(() => "handled"))]);
    });
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const ended = heard(socket);
  const [task] = await started.promise;
  const closing = scope.close({ drain: "1h" });
  expect([task.state, scope.state]).toEqual(["running", "draining"]);
  release.open();
  expect(await task).toBe("handled");
  await closing;
  expect(await ended).toContain("open");
});

test("a streaming response has its drain, then it is cut off", async () => {
  const { port, scope } = await serve((app) => {
    app.get("/", (_request, reply) => {
      const endless = new Readable({ read: () => undefined });
      endless.push("first\n");
      reply.type("text/plain").send(endless);
    });
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("data", resolve));
  const ended = heard(socket);
  const report = await scope.close({ drain: 20 });
  await ended;
  expect(report).toMatchObject({ cancelled: 1, abandoned: [], errors: [] });
});

test("when drain is over, a handler that listens answers, and one that does not is abandoned by name", async () => {
  const started = [gate(), gate()] as const;
  const { port, scope, app } = await serve(
    (it) => {
      it.get("/listens", async () => {
        started[0].open();
        await sleep("1h");
      });
      it.get("/stubborn", async () => {
        started[1].open();
        await gate().promise;
      });
    },
    { root: { onError: () => undefined } },
  );
  const answer = call(port, "/listens");
  const stubborn = call(port, "/stubborn");
  stubborn.catch(() => undefined);
  await Promise.all(started.map(({ promise }) => promise));
  const report = await scope.close({ drain: 10, grace: 50 });
  expect(await answer).toMatchObject({
    status: 503,
    text: expect.stringContaining("the request was cancelled"),
  });
  expect(report.abandoned.map(({ path }) => path)).toEqual(["app/requests/req-2/GET /stubborn"]);
  expect(report.errors).toEqual([]);
  await expect(stubborn).rejects.toThrow("socket hang up");
  expect(app.server.listening).toBe(false);
});

test("the app may be closed by one of its own tasks or handlers", async () => {
  const byTask = await serve(() => undefined);
  const task = byTask.app.background.spawn("closer", () => void byTask.app.close());
  expect((await task.outcome()).state).toBe("succeeded");
  await byTask.app.close();

  const byHandler = await serve((app) => {
    app.post("/stop", async () => {
      void app.close();
      return "stopping";
    });
  });
  expect((await call(byHandler.port, "/stop", { method: "POST" })).text).toBe("stopping");
  await byHandler.app.close();
  expect(byHandler.app.background.state).toBe("closed");
});

test("a task that waits for the app's end, and so for its own, is given up when its time is over", async () => {
  const { app } = await serve(() => undefined, {
    plugin: { drain: 10 },
    root: { grace: 10, onError: () => undefined },
  });
  const task = app.background.spawn("closer", () => app.close());
  expect((await task.outcome()).state).toBe("abandoned");
  await app.close();
});

test("an answer that is still being read when the app stops to listen is sent to its end", async () => {
  const bytes = 20_000_000;
  const { port, scope } = await serve((app) => {
    app.get("/", async () => Buffer.alloc(bytes, "x"));
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("readable", resolve));
  // Written in full on the server's side, and more than the sockets between can hold.
  const closing = scope.close({ drain: "10s" });
  await gateOf(scope).stop();
  await new Promise(setImmediate);
  expect((await heard(socket)).length).toBeGreaterThan(bytes);
  expect(await closing).toMatchObject({ cancelled: 0, abandoned: [], errors: [] });
});

test("a client that does not read what it asked for does not hold up shutdown", async () => {
  const { port, scope } = await serve((app) => {
    app.get("/", (_request, reply) => {
      reply.type("text/plain").send(Readable.from(Array.from({ length: 1_000 }, () => "x".repeat(65_536))));
    });
  });
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await new Promise((resolve) => scope.on("start", resolve));
  await scope.close({ drain: 10 });
  socket.destroy();
});

test("an onClose hook that fails is told in the owner's report, and stops nothing", async () => {
  const told = gate<unknown>();
  const scope = openScope("app", { onError: (error) => told.open(error) });
  const app = Fastify();
  await app.register(holdfast, { scope });
  const failure = new Error("the pool does not close");
  app.addHook("onClose", () => Promise.reject(failure));
  await app.listen({ port: 0, host: "127.0.0.1" });
  const report = await scope.close({ drain: "1s" });
  expect(report.errors.length).toBe(1);
  expect(await told.promise).toBe(failure);
  expect([scope.state, app.server.listening]).toEqual(["closed", false]);
});

test("an app that never listened closes with its scope", async () => {
  const scope = openScope("app");
  const app = Fastify();
  await app.register(holdfast, { scope });
  await app.ready();
  expect(await scope.close()).toMatchObject({ errors: [] });
});

test("an app cannot be built on a scope that closes", async () => {
  const scope = openScope("app");
  await scope.close();
  const app = Fastify();
  app.register(holdfast, { scope });
  await expect(app.ready()).rejects.toMatchObject({ code: "HF_SCOPE_CLOSED" });
});

test("a client that is gone when the app closes is not waited for", async () => {
  const started = gate();
  const { port, scope } = await serve((app) => {
    app.get("/", async () => {
      started.open();
      await sleep("1h");
    });
  });
  const client = callAndHold(port, "/");
  await started.promise;
  client.destroy();
  expect(await scope.close({ drain: "1h" })).toMatchObject({ abandoned: [], errors: [] });
});
