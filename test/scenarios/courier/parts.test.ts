import type { FastifyInstance } from "fastify";
import { afterEach, expect, test } from "vitest";

import { buildApp, type Options } from "../../../examples/courier/app.ts";
import type { Delivery } from "../../../examples/courier/delivery.ts";
import { isWorthAnotherAttempt, RefusedError } from "../../../examples/courier/post.ts";
import { Receiver, type Mood } from "../../../examples/courier/receiver.ts";
import { defaults, fromEnvironment } from "../../../examples/courier/settings.ts";
import { isSigned, makeSecret, sign } from "../../../examples/courier/signature.ts";
import { openStorage } from "../../../examples/courier/storage.ts";
import type { Endpoint, Store } from "../../../examples/courier/store.ts";
import { openScope } from "../../../src/index.ts";
import type { Scope } from "../../../src/index.ts";
import { leakGate } from "../../../src/testing/index.ts";
import { ownState } from "../process/child.ts";

// The last one runs first.
afterEach(leakGate());
const scopes: Scope[] = [];
afterEach(async () => {
  await Promise.all(scopes.splice(0).map((scope) => scope.close()));
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

test("an answer that says that the call itself is wrong is not asked for again", () => {
  const statuses = [400, 404, 410, 301, 408, 425, 429, 500, 503];
  expect(statuses.filter((status) => isWorthAnotherAttempt(new RefusedError(status)))).toEqual([
    408, 425, 429, 500, 503,
  ]);
  expect(isWorthAnotherAttempt(new Error("ECONNRESET"))).toBe(true);
});

test("settings come from the environment, and what cannot be is refused with its name", () => {
  const data = expect.stringMatching(/examples.courier.data$/) as string;
  expect(fromEnvironment({})).toEqual({ port: undefined, place: { data }, settings: defaults });
  expect(fromEnvironment({ COURIER_DATA: "/tmp/x" }).place).toEqual({ data: "/tmp/x" });
  const database = "postgres://me:hunter2@db/courier";
  expect(fromEnvironment({ DATABASE_URL: database }).place).toEqual({ database });
  expect(() => fromEnvironment({ DATABASE_URL: "mysql://me:hunter2@db/" })).toThrow(
    /^DATABASE_URL is none of a Postgres: expected postgres:\/\/…$/,
  );
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

interface Given extends Partial<Options> {
  /** In place of methods of the store. */
  readonly broken?: Partial<Store>;
}

interface Courier {
  readonly scope: Scope;
  readonly app: FastifyInstance;
  readonly receiver: Receiver;
  /** Registers this path of the receiver, and returns its id. */
  subscribe(mood: Mood): Promise<string>;
  post(id: string): Promise<{ status: number; isNew: boolean; deliveries: string[] }>;
  deliveries(query: string): Promise<Delivery[]>;
  /** Resolves with the first line that it logs, or has logged, which matches. */
  untilLine(pattern: RegExp): Promise<string>;
}

/** A courier on a scope of its own, with data of its own, and a receiver for it. */
async function courier({ broken = {}, ...options }: Given = {}): Promise<Courier> {
  const scope = openScope("courier");
  scopes.push(scope);
  const receiver = new Receiver();
  await receiver.listen(0);
  scope.defer(() => receiver.close());
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const log = (line: string): void => {
    lines.push(line);
    for (const watch of watchers) watch();
  };
  const { store, ...rest } = options.storage ?? (await openStorage({ data: ownState() }));
  const storage = { ...rest, store: Object.assign(store, broken) };
  const app = await buildApp(scope, { ...options, log, storage });
  return {
    scope,
    app,
    receiver,
    async subscribe(mood) {
      const secret = makeSecret();
      receiver.expect(mood, secret);
      const payload = { url: `${receiver.url}/${mood}`, secret };
      return (await app.inject({ method: "POST", url: "/endpoints", payload })).json<{ id: string }>().id;
    },
    async post(id) {
      const payload = { id, type: "t", data: {} };
      const answer = await app.inject({ method: "POST", url: "/events", payload });
      return { status: answer.statusCode, ...answer.json<{ isNew: boolean; deliveries: string[] }>() };
    },
    deliveries: async (query) => (await app.inject(`/deliveries?${query}`)).json<Delivery[]>(),
    untilLine: (pattern) =>
      new Promise((resolve) => {
        const look = (): void => {
          const line = lines.find((one) => pattern.test(one));
          if (line !== undefined) resolve(line);
        };
        watchers.add(look);
        look();
      }),
  };
}

test("the same event from three at once is one event: nobody gets it twice", async () => {
  const { receiver, subscribe, post, untilLine } = await courier();
  await subscribe("slow");
  const answers = await Promise.all([1, 2, 3].map(() => post("evt_twice")));
  expect(answers.filter(({ status, isNew }) => status === 202 && isNew).length).toBe(1);
  expect(answers.filter(({ status, isNew }) => status === 200 && !isNew).length).toBe(2);
  await untilLine(/^evt_twice → \S+\/slow: delivered/);
  expect((await post("evt_twice")).isNew).toBe(false);
  expect(receiver.seen({ what: "arrived", id: "evt_twice" }).length).toBe(1);
});

test("an event of which it was never said that it is taken can be posted again, and joins what is pending of it", async () => {
  let isFull = true;
  const noted: string[] = [];
  const { receiver, subscribe, post, deliveries } = await courier({
    broken: {
      noteEvent: async (id) => {
        if (isFull) throw new Error("the disk is full");
        noted.push(id);
      },
    },
  });
  await subscribe("hang");
  expect((await post("evt_1")).status).toBe(500);
  await receiver.until({ what: "arrived", mood: "hang", id: "evt_1" });
  isFull = false;
  expect((await post("evt_1")).isNew).toBe(false);
  expect(noted).toEqual(["evt_1"]);
  expect(await deliveries("event=evt_1")).toMatchObject([{ state: "pending", attempts: [{ number: 1 }] }]);
});

test("an endpoint that is registered again, by its url or by its id, is the same one, with its new secret", async () => {
  const { app, receiver, subscribe, post, untilLine } = await courier();
  const id = await subscribe("ok");
  expect(await subscribe("ok")).toBe(id);
  await post("evt_1");
  await untilLine(/^evt_1 → \S+\/ok: delivered/);
  const secret = makeSecret();
  receiver.expect("slow", secret);
  const payload = { id, url: `${receiver.url}/slow`, secret };
  const moved = await app.inject({ method: "POST", url: "/endpoints", payload });
  expect([moved.statusCode, moved.json<Endpoint>().id]).toEqual([200, id]);
  await post("evt_2");
  await untilLine(/^evt_2 → \S+\/slow: delivered/);
  expect((await app.inject("/endpoints")).json<Endpoint[]>().length).toBe(1);
});

test("what still waits goes to where its endpoint is by then", async () => {
  const { app, receiver, subscribe, post, untilLine } = await courier({ settings: { perEndpoint: 1 } });
  const id = await subscribe("hang");
  const [first] = (await post("evt_1")).deliveries;
  await receiver.until({ what: "arrived", mood: "hang", id: "evt_1" });
  await post("evt_2");
  const secret = makeSecret();
  receiver.expect("ok", secret);
  const payload = { id, url: `${receiver.url}/ok`, secret };
  await app.inject({ method: "POST", url: "/endpoints", payload });
  await app.inject({ method: "DELETE", url: `/deliveries/${first}` });
  await untilLine(/^evt_2 → \S+\/ok: delivered \(1 attempt\)/);
});

test("deliveries are found by state, endpoint and event, the newest first", async () => {
  const { subscribe, post, deliveries, untilLine } = await courier({ settings: { attempts: 1 } });
  const [ok, fail, hang] = [await subscribe("ok"), await subscribe("fail"), await subscribe("hang")];
  for (const id of ["a", "b", "c"]) {
    await post(id);
    await untilLine(new RegExp(`^${id} → \\S+/ok: delivered`));
    await untilLine(new RegExp(`^${id} → \\S+/fail: failed: answered 500 \\(1 attempt\\)`));
  }
  const found = async (query: string): Promise<string[]> =>
    (await deliveries(query)).map(({ event, endpoint, state }) => `${event} ${endpoint} ${state}`);
  expect(await found(`endpoint=${ok}`)).toEqual([
    `c ${ok} delivered`,
    `b ${ok} delivered`,
    `a ${ok} delivered`,
  ]);
  expect(await found(`endpoint=${ok}&limit=2`)).toEqual([`c ${ok} delivered`, `b ${ok} delivered`]);
  expect(await found(`endpoint=${ok}&state=failed`)).toEqual([]);
  expect(await found(`event=b&endpoint=${fail}`)).toEqual([`b ${fail} failed`]);
  expect((await found("event=b")).toSorted()).toEqual(
    [`b ${fail} failed`, `b ${hang} pending`, `b ${ok} delivered`].toSorted(),
  );
  expect(await found("state=pending&limit=2")).toEqual([`c ${hang} pending`, `b ${hang} pending`]);
  expect((await found("")).length).toBe(9);
  const [delivery] = await deliveries(`event=a&endpoint=${fail}`);
  expect(delivery).toMatchObject({
    error: "answered 500",
    attempts: [{ number: 1, end: "failed", status: 500 }],
  });
});

test("DELETE stops a delivery that runs, and one that waits; one that has ended is not there", async () => {
  const { app, receiver, subscribe, post, deliveries, untilLine } = await courier({
    settings: { perEndpoint: 1 },
  });
  await subscribe("hang");
  await subscribe("ok");
  await post("evt_1");
  await receiver.until({ what: "arrived", mood: "hang", id: "evt_1" });
  await post("evt_2");
  for (const id of ["evt_1", "evt_2"]) await untilLine(new RegExp(`^${id} → \\S+/ok: delivered`));
  const answers = new Map<string, unknown>();
  for (const { id, event, url } of await deliveries("")) {
    const answer = await app.inject({ method: "DELETE", url: `/deliveries/${id}` });
    const { state, error, attempts } = answer.json<Partial<Delivery>>();
    answers.set(`${event}${new URL(url).pathname}`, [answer.statusCode, state, error, attempts?.length]);
  }
  expect(Object.fromEntries(answers)).toEqual({
    "evt_1/hang": [200, "cancelled", "somebody asked for it", 1],
    "evt_1/ok": [404, undefined, "Not Found", undefined],
    "evt_2/hang": [200, "cancelled", "somebody asked for it", 0],
    "evt_2/ok": [404, undefined, "Not Found", undefined],
  });
  await receiver.until({ what: "hung up on", mood: "hang", id: "evt_1" });
  await untilLine(/^evt_1 → \S+\/hang: cancelled: somebody asked for it \(1 attempt\)/);
  expect(receiver.seen({ what: "arrived", id: "evt_2", mood: "hang" })).toEqual([]);
});

test("what is in flight when courier ends is handed back: the next one goes on at once, and no try is used up", async () => {
  const data = ownState();
  const settings = { attempts: 1, timeout: "1s" } as const;
  const first = await courier({ storage: await openStorage({ data }), settings: { attempts: 1 } });
  await first.subscribe("hang");
  await first.post("evt_1");
  await first.receiver.until({ what: "arrived", mood: "hang" });
  await first.scope.close({ drain: 0 });
  await first.untilLine(/^evt_1 → \S+\/hang: handed back$/);
  await first.untilLine(
    /^courier has ended: 1 pending, .* 0 cancelled; what is pending goes on at the next start$/,
  );

  const next = await courier({ storage: await openStorage({ data }), settings });
  // There it is refused, at another place: nobody listens where the first one was.
  await next.untilLine(/^evt_1 → \S+\/hang: failed: .* \(2 attempts\)$/);
  const [delivery] = await next.deliveries("");
  expect(delivery?.attempts.map(({ end }) => end)).toEqual(["released", "failed"]);
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
  const { app, subscribe } = await courier();
  const ask = async (mood: Mood): Promise<unknown> =>
    (await app.inject({ method: "POST", url: `/endpoints/${await subscribe(mood)}/test` })).json();
  expect(await ask("ok")).toMatchObject({ answered: 204 });
  expect(await ask("fail")).toMatchObject({ error: "answered 500" });
});

test("GET / shows what runs as a tree, and of each attempt which delivery it is about", async () => {
  const { app, receiver, subscribe, post } = await courier();
  await subscribe("hang");
  await post("evt_1");
  await receiver.until({ what: "arrived", mood: "hang" });
  const { body, headers } = await app.inject("/");
  expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
  const [own] = [...body.matchAll(/req-\w+/g)].map(([id]) => id);
  expect(body.replaceAll(/\d\.\d s/g, "0.0 s")).toBe(`1 pending, 0 delivered, 0 failed, 0 cancelled

courier/
├─ requests/
│  └─ ${own}/
│     └─ GET /: running, 0.0 s, from ${own}
├─ background/
│  ├─ health: running, 0.0 s
│  ├─ clean-up: running, 0.0 s
│  └─ tally: running, 0.0 s
└─ outbox/
   └─ jobs/
      ├─ worker: running, 0.0 s
      └─ deliver: running, 0.0 s, evt_1 → ${receiver.url}/hang
`);
});
