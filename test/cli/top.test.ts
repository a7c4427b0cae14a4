import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFailed, onTestFinished, test } from "vitest";
import { EMPTY, pressed, resized, taskInQuestion, told, visibleTasks } from "../../src/cli/top/model.ts";
import type { Effect, Key, Model } from "../../src/cli/top/model.ts";
import { draw, FRAME } from "../../src/cli/top/view.ts";
import { paintWith } from "../../src/inspect/paint.ts";
import type { InfoAnswer, TasksAnswer } from "../../src/agent/answers.ts";
import { can } from "../inspect/programs.ts";
import { pidOf, Place } from "./seen.ts";

type Task = TasksAnswer["tasks"][number];

const NOW = 1_000_000;

function task(id: number, more: Partial<Task> = {}): Task {
  const name = more.name ?? "mail";
  return {
    id,
    name,
    path: `app/${name}`,
    state: "running",
    attempt: 1,
    createdAt: NOW - id * 1000,
    attributes: {},
    children: 0,
    ...more,
  };
}

const info = {
  schema: 1,
  at: NOW,
  name: "app",
  pid: 4711,
  node: "24.0.0",
  uptimeMs: 60_000,
  loop: { delay: { mean: 1, p50: 1, p99: 2.25, max: 3, measuredMs: 100 }, utilization: 0.1 },
  memory: { rss: 50 * 1024 ** 2 },
  roots: [{ path: "app", state: "open" }],
  tasks: { live: 3, waiting: 1 },
  findings: 0,
} as unknown as InfoAnswer;

const answer = (tasks: readonly Task[], more = false): TasksAnswer => ({ schema: 1, at: NOW, tasks, more });
const model = (tasks: readonly Task[], from: Model = EMPTY): Model => told(from, info, answer(tasks));
const ids = (of: Model): number[] => visibleTasks(of).map(({ id }) => id);

/** Presses keys: names of keys, or single characters. */
function press(from: Model, ...keys: readonly (string | Key)[]): Model {
  return keys.reduce<Model>((before, key) => pressed(before, keyOf(key))[0], from);
}

function effectOf(from: Model, key: string | Key): Effect | undefined {
  return pressed(from, keyOf(key))[1];
}

function keyOf(key: string | Key): Key {
  if (typeof key !== "string") return key;
  return key.length === 1 ? { name: /\w/.test(key) ? key : undefined, text: key } : { name: key };
}

const canvas = (width = 80, height = 24) => ({
  width,
  height,
  paint: paintWith(false),
  mark: (text: string) => `>${text.trimEnd()}`,
});

describe("the list", () => {
  const tasks = [
    task(1, { name: "mail", attempt: 3 }),
    task(2, { name: "deliver", state: "retrying", attributes: { url: "http://example.com/7" } }),
    task(3, { name: "audit", state: "waiting", attempt: 0 }),
    task(4, { name: "old", state: "failed", endedAt: NOW, error: { name: "Error", message: "no" } }),
  ];

  test("shows what lives, the oldest first; s sorts in other ways, r reverses", () => {
    let own = model(tasks);
    expect(ids(own)).toEqual([3, 2, 1]);
    const orders: Record<string, number[]> = {};
    for (let time = 0; time < 5; time++, own = press(own, "s")) orders[own.order] = ids(own);
    expect(orders).toEqual({
      age: [3, 2, 1],
      name: [3, 2, 1],
      state: [2, 1, 3],
      attempt: [1, 2, 3],
      id: [1, 2, 3],
    });
    expect(own.order).toBe("age");
    expect(ids(press(own, "r"))).toEqual([1, 2, 3]);
  });

  test("l shows what has ended, then all, and has it asked for", () => {
    const own = model(tasks);
    expect(effectOf(own, "l")).toEqual({ do: "ask" });
    expect(ids(press(own, "l"))).toEqual([4]);
    expect(ids(press(own, "l", "l"))).toHaveLength(4);
  });

  test("/ filters by anything that is told of a task; Enter keeps the filter, Esc drops it", () => {
    const own = press(model(tasks), "/", ...Array.from("EXAMPLE"));
    expect(own).toMatchObject({ mode: "filter", filter: "EXAMPLE", selected: 2 });
    expect(ids(own)).toEqual([2]);
    expect(ids(press(own, "backspace", "x"))).toEqual([]);
    const kept = press(own, "return");
    expect(kept).toMatchObject({ mode: "orders", filter: "EXAMPLE" });
    expect(ids(press(kept, "escape"))).toHaveLength(3);
    expect(press(own, "escape")).toMatchObject({ mode: "orders", filter: "" });
    // While one types, q is a letter.
    expect(effectOf(own, "q")).toBeUndefined();
    expect(effectOf(own, { name: "c", ctrl: true })).toEqual({ do: "quit" });
  });

  test("the selected task stays selected wherever it goes; where it goes away, what is in its place is", () => {
    let own = press(model(tasks), "down");
    expect(own.selected).toBe(2);
    own = told(own, info, answer([task(5), task(6), ...tasks]));
    expect(own.selected).toBe(2);
    expect(ids(own)).toEqual([6, 5, 3, 2, 1]);
    own = told(own, info, answer([task(6), task(5), task(3), task(1)]));
    expect(own.selected).toBe(1);
    expect(told(own, info, answer([])).selected).toBeUndefined();
  });

  test("keys move, and the rows follow", () => {
    const many = Array.from({ length: 100 }, (_, at) => task(at + 1));
    let own = press(model(many, resized(EMPTY, 10)), "s", "s", "s", "s");
    expect([own.order, own.selected]).toEqual(["id", 100]);
    own = press(own, "home");
    expect([own.selected, own.top]).toEqual([1, 0]);
    own = press(own, "pagedown");
    expect([own.selected, own.top]).toEqual([11, 1]);
    own = press(own, "end");
    expect([own.selected, own.top]).toEqual([100, 90]);
    own = press(own, "down", "up", "k", "j", "j");
    expect([own.selected, own.top]).toEqual([100, 90]);
    own = resized(own, 20);
    expect(own.top).toBe(80);
    expect(resized(own, 0).rows).toBe(1);
  });
});

describe("cancelling", () => {
  const own = model([task(1), task(2, { endedAt: NOW, state: "failed" })]);

  test("asks first; y cancels the selected task", () => {
    const asked = press(own, "c");
    expect(asked.mode).toBe("confirm");
    expect(draw(asked, canvas()).at(-1)).toBe("cancel app/mail #1?  y: yes, any other key: no");
    expect(effectOf(asked, "y")).toEqual({ do: "cancel", id: 1 });
    expect(press(asked, "y")).toMatchObject({ mode: "orders", note: "cancelling #1 …" });
  });

  test.each(["n", "return", "escape", "q", " "])("%j does not", (key) => {
    const asked = press(own, "c");
    expect(effectOf(asked, key)).toBeUndefined();
    expect(press(asked, key)).toMatchObject({ mode: "orders", note: "nothing was cancelled" });
  });

  test("what has ended cannot be; and where there is nothing, nothing is asked", () => {
    expect(press(own, "l", "c")).toMatchObject({ mode: "orders", note: "#2 has ended: failed" });
    expect(press(model([]), "c").mode).toBe("orders");
  });
});

describe("looking into a task", () => {
  const own = model([task(1), task(2)]);

  test("Enter asks for it, Esc and q go back", () => {
    expect(effectOf(own, "return")).toEqual({ do: "ask" });
    const looking = press(own, "return");
    expect(looking.looksAt).toBe(2);
    expect(draw(looking, canvas()).join("\n")).toContain("asking for #2 …");
    for (const key of ["escape", "q", "left"]) {
      expect(press(looking, key)).toMatchObject({ looksAt: undefined, task: undefined });
      expect(effectOf(looking, key)).toBeUndefined();
    }
  });

  test("its lines are no wider than the screen, can be scrolled, and c is about it", () => {
    const stack = Array.from({ length: 60 }, (_, at) => `    at line ${at} ${"x".repeat(100)}`).join("\n");
    const error = { name: "Error", message: "no", stack: `Error: no\n${stack}` };
    const looking: Model = {
      ...press(own, "return"),
      task: { schema: 1, at: NOW, task: { ...task(2, { error }), tasks: [], scopes: [] } },
    };
    const lines = draw(looking, canvas());
    expect(lines).toHaveLength(24);
    expect(lines.join("\n")).toContain("app/mail #2\nstate      running\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(draw(press(looking, "end"), canvas()).join("\n")).toContain("at line 59");
    expect(taskInQuestion(press(looking, "c"))?.id).toBe(2);
  });
});

describe("the screen", () => {
  test("is as large as it is said to be, whatever there is to show", () => {
    const long = Array.from({ length: 300 }, (_, at) =>
      task(at, { name: `\u001B[31m${"long".repeat(20)}`, key: "k".repeat(200), state: "cancelling" }),
    );
    for (const [width, height] of [
      [80, 24],
      [40, 10],
      [200, 50],
      [20, 8],
    ] as const) {
      for (const shown of [EMPTY, model([]), model(long, resized(EMPTY, height - FRAME))]) {
        const lines = draw(shown, canvas(width, height));
        expect(lines).toHaveLength(height);
        // The mark is one more.
        expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.max(width + 1, 45));
        expect(lines.join("")).not.toContain("\u001B");
      }
    }
  });

  test("tells how the process does, which tasks are shown, and marks the selected one", () => {
    const lines = draw(told(EMPTY, info, answer([task(1), task(2)], true)), canvas());
    expect(lines.slice(0, 5)).toEqual([
      "app  pid 4711  up 1 m  Node 24.0.0",
      "3 tasks, 1 waiting   0 findings   loop p99 2.3 ms   50 MB",
      "the first 1,000 of live   by age",
      "ID  STATE      AGE  TASK",
      "> 2  running  2.0 s  app/mail",
    ]);
    expect(draw(press(model([]), "/", "x"), canvas()).join("\n")).toContain("no task is as the filter says");
  });

  test("that the process does not answer is told until it does, and takes no other word away", () => {
    const own: Model = { ...model([task(1)]), trouble: "no answer", note: "app/mail #1 cancelled" };
    const lines = draw(own, canvas());
    expect([lines[2], lines.at(-1)]).toEqual(["no answer", "app/mail #1 cancelled"]);
    expect(told(own, info, answer([]))).toMatchObject({ trouble: "", note: "app/mail #1 cancelled" });
  });
});

describe.skipIf(!can("tmux", "-V")).each([
  [80, 24],
  [200, 50],
])("in a terminal of %i × %i", (columns, rows) => {
  /** A terminal in which `holdfast top courier` runs. */
  async function terminal(place: Place): Promise<(...args: string[]) => string> {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-tmux-"));
    const socket = join(folder, "socket");
    const tmux = (...args: string[]): string =>
      execFileSync("tmux", ["-S", socket, "-f", "/dev/null", ...args], {
        encoding: "utf8",
        env: { ...process.env, ...place.env, TERM: "xterm" },
      });
    onTestFailed(() => console.error(screen));
    onTestFinished(() => {
      tmux("kill-server");
      rmSync(folder, { recursive: true });
    });
    tmux("new-session", "-d", "-x", String(columns), "-y", String(rows), "env PS1='back> ' sh");
    // What is typed before the shell reads is echoed twice.
    await until(tmux, /^back>/);
    tmux("send-keys", `"${process.execPath}" "${place.cli}" top courier`, "Enter");
    return tmux;
  }

  let screen = "";

  async function until(tmux: (...args: string[]) => string, isSo: RegExp): Promise<string> {
    for (;;) {
      screen = tmux("capture-pane", "-p");
      if (isSo.test(screen)) return screen;
      await new Promise(setImmediate);
    }
  }

  test("it shows what runs, filters, looks, cancels, and gives the terminal back", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const tmux = await terminal(place);
    const first = await until(tmux, /37 tasks, 0 waiting/);
    const lines = first.trimEnd().split("\n");
    expect(lines).toHaveLength(rows);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(columns);
    // As many tasks as there is room for, all of them in the large one.
    expect(lines.filter((line) => /^.? *\d+ +running /.test(line))).toHaveLength(Math.min(37, rows - FRAME));
    expect(first).toMatch(/^courier {2}pid \d+ {2}up .* {2}Node/);
    expect(first).toContain("q quit");
    tmux("send-keys", "/", "mail");
    await until(tmux, /filter: mail_/);
    tmux("send-keys", "Enter", "Enter");
    await until(tmux, /courier\/mail #\d+\nstate +running/);
    tmux("send-keys", "c");
    await until(tmux, /cancel courier\/mail #\d+\?/);
    tmux("send-keys", "y");
    await child.untilSaid(/mail cleaned up/);
    await until(tmux, /courier\/mail #\d+ cancelled/);
    tmux("send-keys", "Escape");
    await until(tmux, /no task is as the filter says/);
    tmux("send-keys", "q");
    await until(tmux, /^back>[^]*\nback>\s*$/);
  });

  test("it ends with the process", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    const tmux = await terminal(place);
    await until(tmux, /1 task, 0 waiting/);
    await child.endBy("SIGKILL");
    await until(tmux, new RegExp(`process ${pidOf(child)} has ended\\nback>`));
  });
});

test("without a terminal it says what does instead", async () => {
  const { code, stderr } = await new Place().run("top", "courier");
  expect(stderr).toContain("holdfast top needs a terminal; holdfast tasks prints without");
  expect(code).toBe(2);
});
