import { afterEach, expect, test } from "vitest";
import { channel } from "node:diagnostics_channel";
import { ScopeView } from "../../src/core/scope-view.ts";
import { openScope } from "../../src/index.ts";
import type { Scope } from "../../src/index.ts";
import { atEnd, agentOf, faults, Follower, tidy } from "./ask.ts";

afterEach(tidy());

const listeners = (app: Scope): number =>
  ScopeView.nodeOf(app).ledger.listeners.reduce((sum, count) => sum + count, 0);

const forever = (): Promise<never> => new Promise<never>(() => undefined);

async function untilListeners(app: Scope, count: number): Promise<void> {
  while (listeners(app) !== count) await new Promise(setImmediate);
}

test("what happens is told as it happens, in its order, and openapi.json describes it", async () => {
  const { app, agent } = await agentOf();
  const follower = await Follower.of(agent);
  await app
    .spawn("flaky", () => Promise.reject(new Error("no")), { retry: { attempts: 2, min: 0, jitter: "none" } })
    .outcome();
  await app.spawn("stubborn", forever, { grace: 0 }).cancel("go");
  app.scope("side");
  const told = (): string[] => follower.messages.map(({ event }) => event);
  await follower.until(() => told().includes("state"));
  expect(told()).toEqual([
    ...["hello", "spawn", "start", "retry", "start", "end"],
    ...["spawn", "cancel", "end"],
    "state",
  ]);
  expect(follower.messages.map(({ id }) => id)).toEqual(follower.messages.map((_, at) => at));
  expect(follower.messages[0]?.data).toMatchObject({ schema: 1, name: "test", pid: process.pid });
  expect(faults("Hello", follower.messages[0]?.data)).toEqual([]);
  for (const { data } of follower.messages.slice(1)) expect(faults("Event", data)).toEqual([]);
});

test("findings come too", async () => {
  const { app, agent } = await agentOf();
  const follower = await Follower.of(agent, "/events?type=finding");
  const stubborn = app.spawn("stubborn", forever, { grace: 0 });
  await new Promise(setImmediate);
  await stubborn.cancel();
  await follower.until(() => follower.messages.length > 1);
  expect(follower.messages[1]).toMatchObject({ event: "finding", data: { finding: "unresponsive" } });
  expect(faults("Event", follower.messages[1]?.data)).toEqual([]);
});

test("the scope is listened to only while somebody listens, and only for what is asked", async () => {
  const { app, agent } = await agentOf({ findings: () => [] });
  expect(listeners(app)).toBe(0);
  const all = await Follower.of(agent);
  expect(listeners(app)).toBe(9);
  const some = await Follower.of(agent, "/events?type=end,finding");
  expect(listeners(app)).toBe(11);
  all.response.destroy();
  await untilListeners(app, 2);
  some.response.destroy();
  await untilListeners(app, 0);
});

test("only what happens below a path", async () => {
  const { app, agent } = await agentOf();
  const follower = await Follower.of(agent, "/events?path=app/side&type=end");
  await app.spawn("no", () => 1);
  const side = app.scope("side");
  await side.spawn("yes", () => 1);
  await follower.until(() => follower.messages.length > 1);
  expect(follower.messages[1]?.data).toMatchObject({ task: { path: "app/side/yes" } });
});

test("an agent without a scope hears of every root, and stops when nobody listens", async () => {
  const { agent } = await agentOf({ scope: undefined as never });
  const follower = await Follower.of(agent, "/events?type=spawn");
  const later = openScope("later", { grace: 0, onError: () => undefined });
  atEnd(async () => void (await later.cancel()));
  later.spawn("one", forever);
  await follower.until(() => follower.messages.length > 1);
  expect(follower.messages[1]?.data).toMatchObject({ task: { path: "later/one" } });
  follower.response.destroy();
  while (channel("holdfast:spawn").hasSubscribers) await new Promise(setImmediate);
});

test("a reader that is too slow gets the oldest that it has not read, and is told how many it missed", async () => {
  const { app, agent } = await agentOf({ buffer: 10 });
  const follower = await Follower.of(agent, "/events?type=spawn");
  follower.response.pause();
  // Until the kernel takes no more, and the buffer is full.
  const text = "x".repeat(10_000);
  let spawned = 0;
  for (let turn = 0; turn < 400; turn++) {
    for (let at = 0; at < 3; at++, spawned++) app.spawn("t", () => 1, { attributes: { n: spawned, text } });
    await new Promise(setImmediate);
  }
  follower.response.resume();
  const missed = (): number =>
    follower.messages.reduce(
      (sum, { event, data }) => sum + (event === "missed" ? Number(data["missed"]) : 0),
      0,
    );
  const told = (): number => follower.messages.filter(({ event }) => event === "spawn").length;
  await follower.until(() => told() + missed() === spawned);
  expect(missed()).toBeGreaterThan(0);
  for (const { event, data } of follower.messages)
    if (event === "missed") expect(faults("Missed", data)).toEqual([]);
  // Those that were told are in their order, and the gap is where it says that it is.
  const gap = follower.messages.findIndex(({ event }) => event === "missed");
  const last = follower.messages[gap - 1]?.data as { task: { attributes: { n: number } } };
  const missedThere = Number(follower.messages[gap]?.data["missed"]);
  expect(follower.messages[gap]?.id).toBe(last.task.attributes.n + 1 + missedThere);
  // And it goes on.
  app.spawn("after", () => 1);
  await follower.until(
    () => follower.messages.at(-1)?.event === "spawn" && follower.text.includes('"after"'),
  );
});

test("a turn in which more happens than the buffer holds is told of in part", async () => {
  const { app, agent } = await agentOf({ buffer: 10 });
  const follower = await Follower.of(agent, "/events?type=spawn");
  for (let at = 0; at < 100; at++) app.spawn("many", () => 1);
  await follower.until(() => follower.messages.at(-1)?.event === "missed");
  expect(follower.messages.slice(1).map(({ event }) => event)).toEqual([
    ...Array.from({ length: 10 }, () => "spawn"),
    "missed",
  ]);
  expect(follower.messages.at(-1)?.data).toEqual({ missed: 90 });
});

test("where nothing happens a comment says that it is still there", async () => {
  const { agent } = await agentOf({ heartbeat: 5 });
  const follower = await Follower.of(agent);
  await follower.until(() => follower.text.split(": alive\n\n").length > 2);
});

test("closing the agent ends the stream", async () => {
  const { app, agent } = await agentOf();
  const follower = await Follower.of(agent);
  await agent.close();
  await expect(follower.until(() => false)).rejects.toThrow("the stream ended");
  await untilListeners(app, 0);
});
