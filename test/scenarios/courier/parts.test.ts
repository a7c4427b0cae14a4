import type { FastifyInstance } from "fastify";
import { afterEach, expect, test } from "vitest";

import { buildApp, type Options } from "../../../examples/courier/app.ts";
import { isWorthAnotherAttempt, RefusedError } from "../../../examples/courier/post.ts";
import { Receiver } from "../../../examples/courier/receiver.ts";
import { defaults, fromEnvironment } from "../../../examples/courier/settings.ts";
import { isSigned, makeSecret, sign } from "../../../examples/courier/signature.ts";
import { MemoryStore, StoreFullError } from "../../../examples/courier/store.ts";
import type { CourierEvent, Delivery, Store } from "../../../examples/courier/store.ts";
import { openScope } from "../../../src/index.ts";
import type { OnError, Scope } from "../../../src/index.ts";
import { leakGate } from "../../../src/testing/index.ts";

// The last one runs first.
afterEach(leakGate());
const scopes: Scope[] = [];
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
});

const event = (id: string): CourierEvent => ({ id, type: "t", data: {}, createdAt: "2026-01-01T00:00:00Z" });
const delivery = (id: string, of: string, endpoint = "ep"): Delivery => ({
  id,
  event: of,
  type: "t",
  endpoint,
  url: "http://x/",
  state: "pending",
  attempts: [],
  createdAt: "2026-01-01T00:00:00Z",
});

test("a signature holds for what was signed, for five minutes, and for nothing else", () => {
  const secret = makeSecret();
  const at = new Date("2026-01-01T00:00:00Z");
  const headers = sign(secret, "evt_1", "body", at);
  const later = (seconds: number): Date => new Date(at.getTime() + seconds * 1_000);
  expect(isSigned(secret, headers, "body", at)).toBe(true);
  expect(isSigned(secret, headers, "body", later(300))).toBe(true);
  expect(isSigned(secret, headers, "body", later(301))).toBe(false);
  expect(isSigned(secret, headers, "body", later(-301))).toBe(false);
  expect(isSigned(secret, headers, "other", at)).toBe(false);
  expect(isSigned(makeSecret(), headers, "body", at)).toBe(false);
  expect(isSigned(secret, { ...headers, "webhook-id": "evt_2" }, "body", at)).toBe(false);
  expect(isSigned(secret, {}, "body", at)).toBe(false);
});

test("the signature is that of the Standard Webhooks specification", () => {
  // Its own example.
  const headers = sign(
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    '{"test": 2432232314}',
    new Date(1_614_265_330 * 1_000),
  );
  expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
});

test("the store keeps so many deliveries: what has ended makes room, oldest first, and what is pending never does", async () => {
  const store = new MemoryStore({ endpoints: 1, deliveries: 3 });
  await store.addEvent(event("e1"), [delivery("d1", "e1"), delivery("d2", "e1")]);
  await store.addEvent(event("e2"), [delivery("d3", "e2")]);
  await expect(store.addEvent(event("e3"), [delivery("d4", "e3")])).rejects.toThrow(StoreFullError);
  await store.endDelivery("d2", "delivered");
  await store.addEvent(event("e3"), [delivery("d4", "e3")]);
  expect((await store.deliveries({ limit: 10 })).map(({ id }) => id)).toEqual(["d4", "d3", "d1"]);
  expect(await store.counts()).toEqual({ pending: 3, delivered: 1, failed: 0, cancelled: 0 });
  expect(await store.backlog("ep")).toBe(3);
});

test("an event is known for as long as one of its deliveries is", async () => {
  const store = new MemoryStore({ endpoints: 1, deliveries: 10 });
  expect(await store.addEvent(event("e1"), [delivery("d1", "e1"), delivery("d2", "e1")])).toBe(true);
  expect(await store.addEvent(event("e1"), [delivery("d3", "e1")])).toBe(false);
  await store.endDelivery("d1", "failed");
  const soon = new Date(Date.now() + 1_000);
  expect(await store.forgetEndedBefore(soon)).toBe(1);
  expect(await store.addEvent(event("e1"), [delivery("d3", "e1")])).toBe(false);
  await store.endDelivery("d2", "delivered");
  expect(await store.forgetEndedBefore(soon)).toBe(1);
  expect(await store.addEvent(event("e1"), [delivery("d3", "e1")])).toBe(true);
});

test("a delivery ends once", async () => {
  const store = new MemoryStore();
  await store.addEvent(event("e1"), [delivery("d1", "e1")]);
  expect(await store.endDelivery("d1", "delivered")).toMatchObject({ state: "delivered" });
  expect(await store.endDelivery("d1", "cancelled")).toMatchObject({ state: "delivered" });
  expect(await store.endDelivery("none", "cancelled")).toBeUndefined();
  expect(await store.counts()).toMatchObject({ pending: 0, delivered: 1, cancelled: 0 });
});

test("an answer that says that the call itself is wrong is not asked for again", () => {
  const statuses = [400, 404, 410, 301, 408, 425, 429, 500, 503];
  expect(statuses.filter((status) => isWorthAnotherAttempt(new RefusedError(status)))).toEqual([
    408, 425, 429, 500, 503,
  ]);
  expect(isWorthAnotherAttempt(new Error("ECONNRESET"))).toBe(true);
});

test("settings come from the environment, and what cannot be is refused with its name", () => {
  expect(fromEnvironment({})).toEqual({ port: undefined, settings: defaults });
  const { port, settings } = fromEnvironment({ PORT: "0", COURIER_TIMEOUT: "90s", COURIER_ATTEMPTS: "2" });
  expect([port, settings.timeout, settings.attempts]).toEqual([0, "90s", 2]);
  for (const [name, value] of [
    ["PORT", "http"],
    ["COURIER_TIMEOUT", "soon"],
    ["COURIER_BACKOFF", "5"],
    ["COURIER_ATTEMPTS", "0"],
    ["COURIER_PER_ENDPOINT", ""],
  ] as const) {
    expect(() => fromEnvironment({ [name]: value })).toThrow(`${name} is "${value}": expected `);
  }
});

interface Given extends Options {
  readonly onError?: OnError;
}

/** A courier on a scope of its own, and a receiver for it. */
async function courier({ onError, ...options }: Given = {}): Promise<{
  app: FastifyInstance;
  scope: Scope;
  receiver: Receiver;
}> {
  const scope = openScope("courier", onError === undefined ? {} : { onError });
  scopes.push(scope);
  const receiver = new Receiver();
  await receiver.listen(0);
  scope.defer(() => receiver.close());
  const app = await buildApp(scope, { log: () => undefined, ...options });
  return { app, scope, receiver };
}

test("while an event is on its way its key holds it, though the store would take it again", async () => {
  const store = new MemoryStore();
  const forgetful = new Proxy(store, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === "addEvent")
        return async (...args: Parameters<Store["addEvent"]>) => (await target.addEvent(...args), true);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const { app, receiver, scope } = await courier({ store: forgetful });
  const secret = makeSecret();
  receiver.expect("slow", secret);
  await app.inject({ method: "POST", url: "/endpoints", payload: { url: `${receiver.url}/slow`, secret } });
  const payload = { id: "evt_twice", type: "t", data: {} };
  const answers = await Promise.all(
    [1, 2, 3].map(() => app.inject({ method: "POST", url: "/events", payload })),
  );
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([202, 202, 202]);
  await receiver.until({ what: "took", mood: "slow", id: "evt_twice" });
  await scope.untilIdle();
  expect(receiver.seen({ what: "arrived", id: "evt_twice" }).length).toBe(1);
});

test("an endpoint with too much pending is not sent more, and its owner can read why", async () => {
  const lines: string[] = [];
  const { app, receiver } = await courier({ settings: { backlog: 2 }, log: (line) => lines.push(line) });
  await app.inject({ method: "POST", url: "/endpoints", payload: { url: `${receiver.url}/hang` } });
  for (const id of ["a", "b", "c"]) {
    await app.inject({ method: "POST", url: "/events", payload: { id, type: "t", data: {} } });
  }
  const deliveries = (await app.inject("/deliveries")).json<Delivery[]>();
  expect(deliveries.map(({ state, note }) => note ?? state)).toEqual([
    "not tried, for 2 deliveries to it are pending",
    "pending",
    "pending",
  ]);
});

test("a store that fails fails the event as a whole, and says so; it is not the endpoint's doing", async () => {
  const store = new MemoryStore();
  const { endDelivery } = store;
  store.endDelivery = async (id, state) => {
    if (state === "delivered") throw new Error("the disk is full");
    return endDelivery.call(store, id, state);
  };
  let fail!: (words: string) => void;
  const failure = new Promise<string>((resolve) => (fail = resolve));
  const { app, receiver, scope } = await courier({
    store,
    onError: (error, task) => fail(`${task.name}: ${(error as Error).message}`),
  });
  const secret = makeSecret();
  receiver.expect("ok", secret);
  for (const mood of ["ok", "hang"]) {
    await app.inject({
      method: "POST",
      url: "/endpoints",
      payload: { url: `${receiver.url}/${mood}`, secret },
    });
  }
  await app.inject({ method: "POST", url: "/events", payload: { id: "e", type: "t", data: {} } });
  expect(await failure).toBe("fan-out: the disk is full");
  await scope.untilIdle();
  const deliveries = await store.deliveries({ limit: 2 });
  expect(deliveries.map(({ url, state }) => `${new URL(url).pathname} ${state}`)).toEqual([
    "/hang cancelled",
    "/ok pending",
  ]);
});

test.each<[string, object, RegExp]>([
  ["no url", {}, /must have required property 'url'/],
  ["a url that is none", { url: "http://not a url" }, /must match format "uri"/],
  ["another scheme", { url: "file:///etc/passwd" }, /must match pattern/],
  ["a secret that is none", { url: "http://x/", secret: "hunter2" }, /secret must match pattern/],
  ["what it does not know", { url: "http://x/", colour: "red" }, /must NOT have additional properties/],
])("POST /endpoints refuses %s, and says why", async (_what, payload, why) => {
  const { app } = await courier();
  const answer = await app.inject({ method: "POST", url: "/endpoints", payload });
  expect([answer.statusCode, answer.json<{ message: string }>().message]).toEqual([
    400,
    expect.stringMatching(why),
  ]);
});

test("what is not there is 404, what is no JSON is 400, and a secret is told once", async () => {
  const { app } = await courier();
  const status = async (method: "GET" | "POST" | "DELETE", url: string, payload?: string): Promise<number> =>
    (
      await app.inject({
        method,
        url,
        headers: { "content-type": "application/json" },
        ...(payload && { payload }),
      })
    ).statusCode;
  expect(await status("GET", "/deliveries/none")).toBe(404);
  expect(await status("DELETE", "/deliveries/none", "{}")).toBe(404);
  expect(await status("GET", "/endpoints/none")).toBe(404);
  expect(await status("POST", "/endpoints/none/test", "{}")).toBe(404);
  expect(await status("POST", "/events", "{not json")).toBe(400);
  expect(await status("GET", "/deliveries?limit=0")).toBe(400);
  const made = await app.inject({
    method: "POST",
    url: "/endpoints",
    payload: { url: "http://127.0.0.1:9/x" },
  });
  const { id, secret } = made.json<{ id: string; secret: string }>();
  expect(secret).toMatch(/^whsec_/);
  expect((await app.inject(`/endpoints/${id}`)).body).not.toContain("whsec_");
  expect((await app.inject("/endpoints")).body).not.toContain("whsec_");
});

test("the test of an endpoint answers with what the endpoint said", async () => {
  const { app, receiver } = await courier();
  const ask = async (mood: "ok" | "fail"): Promise<unknown> => {
    const secret = makeSecret();
    receiver.expect(mood, secret);
    const payload = { url: `${receiver.url}/${mood}`, secret };
    const { id } = (await app.inject({ method: "POST", url: "/endpoints", payload })).json<{ id: string }>();
    return (await app.inject({ method: "POST", url: `/endpoints/${id}/test` })).json();
  };
  expect(await ask("ok")).toMatchObject({ answered: 204 });
  expect(await ask("fail")).toMatchObject({ error: "answered 500" });
});

test("GET / shows what runs as a tree, and a task in the background with the request it came from", async () => {
  const { app, receiver } = await courier();
  const secret = makeSecret();
  receiver.expect("hang", secret);
  await app.inject({ method: "POST", url: "/endpoints", payload: { url: `${receiver.url}/hang`, secret } });
  await app.inject({ method: "POST", url: "/events", payload: { id: "evt_1", type: "t", data: {} } });
  await receiver.until({ what: "arrived", mood: "hang" });
  const { body, headers } = await app.inject("/");
  expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  const requests = [...body.matchAll(/req-\w+/g)].map(([id]) => id);
  const [own, from] = [requests[0], requests[2]];
  expect(body.replaceAll(/\d\.\d s/g, "0.0 s")).toBe(`1 pending, 0 delivered, 0 failed, 0 cancelled

courier/
├─ requests/
│  └─ ${own}/
│     └─ GET /: running, 0.0 s, from ${own}
└─ background/
   ├─ health: running, 0.0 s
   ├─ clean-up: running, 0.0 s
   └─ fan-out: running, 0.0 s, evt_1, from ${from}
      └─ recipient: running, 0.0 s
         └─ deliver: running, 0.0 s, ${receiver.url}/hang
`);
});
