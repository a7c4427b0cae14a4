import Fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { readFileSync } from "node:fs";
import { connect, type ClientHttp2Session } from "node:http2";
import { Agent, get } from "node:https";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test } from "vitest";

import holdfast from "../../src/adapters/fastify.ts";
import { openScope, sleep } from "../../src/index.ts";
import type { Scope, TaskInfo } from "../../src/index.ts";
import { leakGate } from "../../src/testing/index.ts";
import { gate } from "./serve.ts";

afterEach(leakGate());

const named = (scope: Scope, name: string): TaskInfo | undefined =>
  [...scope.tasks()].find((task) => task.name === name && task.endedAt !== undefined);

const closed = (session: ClientHttp2Session): Promise<void> =>
  new Promise((resolve) => {
    session.once("close", () => resolve());
    session.on("error", () => undefined);
  });

test.each<[string, object, string, RegExp]>([
  ["no scope", { scope: undefined }, "scope", /^scope is undefined: expected the one that owns the app: /],
  ["another scope", { scope: "app" }, "scope", /^scope is "app": expected a scope of this copy of holdfast$/],
  ["a bad drain", { drain: "soon" }, "drain", /^drain is "soon": expected milliseconds/],
])("%s is refused when the app starts, not when it ends", async (_, options, option, message) => {
  const scope = openScope("app");
  const app = Fastify();
  void app.register(holdfast, { scope, ...options });
  await expect(app.ready()).rejects.toMatchObject({
    code: "HF_BAD_OPTION",
    option,
    message: expect.stringMatching(message) as string,
  });
  expect(scope.tree().scopes).toEqual([]);
  await scope.close();
});

test("HTTP/2: a response ends its request, a reset stream cancels it, an open session does not hold up shutdown", async () => {
  const scope = openScope("app");
  const started = gate();
  const thrown = gate<unknown>();
  const app = Fastify({ http2: true });
  await app.register(holdfast, { scope });
  app.get("/answers", async (request) => request.scope.path);
  app.get("/waits", async () => {
    started.open();
    await sleep("1h").catch((error: unknown) => thrown.open(error));
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const session = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
  const gone = closed(session);

  const answers = session.request({ ":path": "/answers" });
  answers.setEncoding("utf8");
  let text = "";
  for await (const chunk of answers) text += String(chunk);
  expect(text).toBe("app/requests/req-1");

  const waits = session.request({ ":path": "/waits" });
  waits.on("error", () => undefined);
  waits.end();
  await started.promise;
  waits.close(8 /* CANCEL */);
  expect(await thrown.promise).toMatchObject({ name: "AbortError", reason: "the client went away" });

  expect(await scope.close({ drain: "1h" })).toMatchObject({ abandoned: [], errors: [] });
  expect([named(scope, "GET /answers")?.state, named(scope, "GET /waits")?.state]).toEqual([
    "succeeded",
    "cancelled",
  ]);
  await gone;
});

test("HTTPS: what is still to be sent arrives, and a connection that is kept alive does not hold up shutdown", async () => {
  const pem = (name: string): string =>
    readFileSync(new URL(`fixtures/localhost-${name}.pem`, import.meta.url), "utf8");
  const scope = openScope("app");
  const started = gate();
  const release = gate();
  const app = Fastify({ https: { cert: pem("cert"), key: pem("key") }, keepAliveTimeout: 3_600_000 });
  await app.register(holdfast, { scope });
  app.get("/", async () => {
    started.open();
    await release.promise;
    return "x".repeat(5_000_000);
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  const half = connectTcp(port, "127.0.0.1");
  const idle = connectTls({ port, host: "127.0.0.1", ca: pem("cert") });
  await new Promise((resolve) => idle.once("secureConnect", resolve));
  const agent = new Agent({ keepAlive: true, ca: pem("cert") });
  const answer = new Promise<number>((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () => resolve(bytes)).on("error", reject);
    }).on("error", reject);
  });
  await started.promise;
  const closing = scope.close({ drain: "1h" });
  release.open();
  expect(await answer).toBe(5_000_000);
  expect(await closing).toMatchObject({ abandoned: [], errors: [] });
  agent.destroy();
  idle.destroy();
  half.destroy();
});

test("an app with any logger and any type provider takes the plugin, by its types too", async () => {
  interface OwnLogger extends FastifyBaseLogger {
    audit(words: string): void;
  }
  const scope = openScope("app");
  const silent = (): void => undefined;
  const logger: OwnLogger = {
    level: "silent",
    fatal: silent, error: silent, warn: silent, info: silent, debug: silent, trace: silent, silent, audit: silent,
    child: () => logger,
  }; // prettier-ignore
  const app = Fastify({ loggerInstance: logger });
  await app.register(holdfast, { scope, health: { live: "/alive" }, drain: "1s" });
  app.log.audit("typed");
  // What is declared for the default app is there for others as well.
  const background: Scope = app.background;
  app.get("/", async (request) => request.scope.name);
  expect((await app.inject("/")).body).toBe("req-1");
  expect(background).toBe((app as unknown as FastifyInstance).background);
  await scope.close();
});
