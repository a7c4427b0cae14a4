import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FindingEvent } from "../../../src/index.ts";
import { Child, commandOf, ownState, placeOf } from "../process/child.ts";

const found = (child: Child): FindingEvent =>
  JSON.parse(/^found (.*)$/m.exec(child.stdout)?.[1] ?? "{}") as FindingEvent;

describe("the watch of main()", () => {
  test("says which task holds the event loop, and at which line", async () => {
    const child = await Child.at(/^found (.*)$/m, "one that holds the loop for a while");
    const event = found(child);
    expect(event).toMatchObject({ type: "finding", finding: "blocked", path: "demo/hog" });
    expect(event.stack?.split("\n")[0]).toMatch(/^at hog \(.*stories\.ts:\d+:\d+\)$/);
    expect(event.ms).toBeGreaterThanOrEqual(200);
    expect((await child.endBy("SIGTERM")).code).toBe(0);
    // The session by which it looked is closed: Node does not wait for a debugger at the end.
    expect(child.stderr.trim().split("\n")).toHaveLength(1);
  });

  test.skipIf(process.platform !== "linux")(
    "names the line at which a task waits that takes too long",
    async () => {
      const child = await Child.at(/^found (.*)$/m, "one that takes too long");
      const event = found(child);
      expect(event).toMatchObject({
        type: "finding",
        finding: "overdue",
        path: "demo/stuck",
        awaiting: [{ ...placeOf("await forever;"), function: "hang" }],
      });
      expect(event.ms).toBeGreaterThanOrEqual(100);
      expect((await child.endBy("SIGTERM")).code).toBe(1);
    },
  );
});

/** A debugger, as an editor is one: it talks the protocol over a websocket. */
class Debugger {
  readonly #socket: WebSocket;
  readonly heard: string[] = [];
  readonly #answers = new Map<number, (result: unknown) => void>();
  #isClosed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("close", () => (this.#isClosed = true));
    socket.addEventListener("message", ({ data }) => {
      const { id, method, result } = JSON.parse(String(data)) as {
        id?: number;
        method?: string;
        result?: unknown;
      };
      if (method !== undefined) this.heard.push(method);
      if (id !== undefined) this.#answers.get(id)?.(result);
    });
  }

  static async attach(url: string): Promise<Debugger> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", reject, { once: true });
    });
    onTestFinished(() => socket.close());
    return new Debugger(socket);
  }

  get isAttached(): boolean {
    return !this.#isClosed && this.#socket.readyState === WebSocket.OPEN;
  }

  ask(method: string, params: object = {}): Promise<unknown> {
    const id = this.#answers.size + 1;
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    return answer;
  }
}

test("a debugger that is attached is neither paused nor dropped when the watchdog looks", async () => {
  const child = new Child(commandOf("one that holds the loop for a while", ["--inspect=127.0.0.1:0"]));
  const [, url = ""] = await child.untilSaid(/^Debugger listening on (ws:\S+)$/m);
  const own = await Debugger.attach(url);
  await own.ask("Runtime.enable");
  await own.ask("Debugger.enable");
  await own.ask("Debugger.setPauseOnExceptions", { state: "none" });
  await child.untilSaid(/^found (.*)$/m);
  expect(found(child).stack?.split("\n")[0]).toMatch(/^at hog /);
  expect(await own.ask("Runtime.evaluate", { expression: "6 * 7" })).toMatchObject({ result: { value: 42 } });
  expect(own.isAttached).toBe(true);
  expect(own.heard).toContain("Debugger.scriptParsed");
  expect(own.heard).not.toContain("Debugger.paused");
  child.kill("SIGTERM");
});

describe("the crash journal of main()", () => {
  test("the next start tells, once, what ran in the process that was killed, and how far it had come", async () => {
    const state = ownState();
    const killed = new Child(commandOf("one that is killed"), { state });
    await killed.untilSaid(/^ready \d+$/m);
    await killed.endBy("SIGKILL");
    const next = new Child(commandOf("one that starts again"), { state });
    await next.ended;
    const [line = "{}", ...others] = next.stderr.trim().split("\n");
    expect(others).toEqual([]);
    expect(JSON.parse(line)).toMatchObject({ holdfast: "died", name: "demo", pid: killed.process.pid });
    const { running } = JSON.parse(line) as { running: { path: string; key?: string; progress?: object }[] };
    expect(running.map(({ path }) => path).toSorted()).toEqual(["demo/import", "demo/invoice", "demo/later"]);
    expect(running.find(({ path }) => path === "demo/import")?.progress).toMatchObject({
      done: 3,
      total: 10,
    });
    expect(running.find(({ path }) => path === "demo/invoice")?.key).toBe("7");
    const third = new Child(commandOf("one that starts again"), { state });
    await third.ended;
    expect(third.stderr).toBe("");
  });
});

describe("the crash journal of watch()", () => {
  const holdfast = new URL("../../../dist/index.js", import.meta.url).href;
  const run = (text: string, state: string): Child => {
    const program = `import { openScope, watch } from ${JSON.stringify(holdfast)};
      const app = openScope("demo");
      watch(app, { journal: true, sweep: "20ms" });
      ${text}`;
    return new Child([process.execPath, "--input-type=module", "--eval", program], { state });
  };

  test("is gone where the program ends with nothing left to do, though it has closed nothing", async () => {
    const state = ownState();
    expect(await run(`await app.spawn("mail", (task) => task.sleep(100));`, state).ended).toMatchObject({
      code: 0,
    });
    expect(filesIn(state)).toEqual([]);
  });

  test("is kept where it exits in the middle of something", async () => {
    const state = ownState();
    const text = `app.spawn("mail", (task) => task.sleep("1h")); setTimeout(() => process.exit(0), 200);`;
    expect(await run(text, state).ended).toMatchObject({ code: 0 });
    expect(filesIn(state)).toEqual([expect.stringMatching(/^demo\.\d+\..*\.journal$/)]);
  });
});

const filesIn = (state: string): string[] => readdirSync(join(state, "holdfast/journals"));
