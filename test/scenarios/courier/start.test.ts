import { readdirSync } from "node:fs";
import { expect, test } from "vitest";

import { ownState } from "../process/child.ts";
import { run } from "./process.ts";

interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly url: string;
  readonly state: string;
  readonly attempts: readonly { readonly status?: number; readonly error?: string }[];
}

const faster = { PORT: "0", COURIER_TIMEOUT: "1s", COURIER_BACKOFF: "50ms" };

test("`npm start`: a stranger finds the way, real events are delivered, and SIGTERM ends it in order", async () => {
  const start = run("start.ts", [], faster);
  const [, url] = await start.untilLine(/courier is up\.\s+(http:\S+)/);
  const get = async <T>(path: string): Promise<T> => (await fetch(`${url}${path}`)).json() as Promise<T>;

  // The trickle comes by itself.
  const [, event] = await start.untilLine(/^(evt_\w+) → \S+\/ok: delivered \(1 attempt\)/);
  await start.untilLine(new RegExp(`^${event} → \\S+/flaky: delivered \\(3 attempts\\)`));
  await start.untilLine(new RegExp(`^${event} → \\S+/fail: failed: answered 500 \\(4 attempts\\)`));
  await start.untilLine(new RegExp(`^${event} → \\S+/hang: failed: no answer in 1 s \\(4 attempts\\)`));
  const deliveries = await get<Delivery[]>(`/deliveries?event=${event}`);
  expect(new Map(deliveries.map(({ url: at, state }) => [new URL(at).pathname, state]))).toEqual(
    new Map([
      ["/hang", "failed"],
      ["/reset", "failed"],
      ["/fail", "failed"],
      ["/flaky", "delivered"],
      ["/slow", "delivered"],
      ["/ok", "delivered"],
    ]),
  );

  // Every line that it invites to type works.
  const invited = start.lines
    .map((line) => /^ {4}curl -s '?(http:[^' ]+)/.exec(line)?.[1])
    .filter((it) => it !== undefined);
  expect(invited.length).toBe(5);
  for (const address of invited.filter((it) => !it.endsWith("/events"))) {
    expect((await fetch(address)).status, address).toBe(200);
  }
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ type: "hello", data: { from: "me" } });
  const posted = await fetch(`${url}/events`, { method: "POST", headers, body });
  expect(posted.status).toBe(202);
  const { id } = (await posted.json()) as { id: string };
  await start.untilLine(new RegExp(`^${id} → \\S+/ok: delivered`));

  start.process.kill("SIGTERM");
  expect(await start.exit).toEqual({ code: 0, signal: null });
  await start.untilLine(/^courier has ended: \d+ pending, \d+ delivered/);
  const [words] = await start.untilLine(/^\{"holdfast":"report".*/);
  expect(JSON.parse(words)).toMatchObject({ name: "courier", signal: "SIGTERM", abandoned: [], errors: [] });
});

test("`npm start`, killed and started again: what was pending goes on, to the same six endpoints", async () => {
  const data = ownState();
  const killed = run("start.ts", [], { ...faster, COURIER_DATA: data });
  const [, event] = await killed.untilLine(/^(evt_\w+) → \S+\/hang: no answer in 1 s; try 2 of 4/);
  killed.process.kill("SIGKILL");
  await killed.exit;
  expect(readdirSync(data)).toEqual(expect.arrayContaining(["courier.db", "jobs.db"]));

  const next = run("start.ts", [], { ...faster, COURIER_DATA: data });
  const [, url] = await next.untilLine(/courier is up\.\s+(http:\S+)/);
  await next.untilLine(new RegExp(`^${event} → \\S+/hang: failed: no answer in 1 s`));
  const get = async <T>(path: string): Promise<T> => (await fetch(`${url}${path}`)).json() as Promise<T>;
  expect((await get<object[]>("/endpoints")).length).toBe(6);
  const deliveries = await get<Delivery[]>(`/deliveries?event=${event}`);
  expect(new Set(deliveries.map(({ url: at }) => new URL(at).pathname)).size).toBe(6);
  const hang = deliveries.find(({ url: at }) => at.endsWith("/hang"));
  // Tries are counted on, not from the start.
  expect(hang?.attempts.filter(({ error }) => error === "no answer in 1 s").length).toBe(4);
});
