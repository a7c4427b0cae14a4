import { describe, expect, test } from "vitest";
import { TaskLostError, watch } from "../../src/index.ts";
import type { FindingEvent, Scope, Task, TaskContext } from "../../src/index.ts";
import { rejection, turn, useStage } from "../core/stage.ts";

const stage = useStage();

/** A promise that nothing can settle: nobody has what would. */
const nothing = (): Promise<never> => new Promise<never>(() => undefined);

function watched(): { app: Scope; found: FindingEvent[]; collect: () => Promise<void> } {
  const app = stage.open("app", { onError: () => undefined });
  const found: FindingEvent[] = [];
  const watching = watch(app, { linesEvery: false, overdue: false, blockAfter: false });
  app.on("finding", (event) => found.push(event));
  return { app, found, collect };
  /** Sweeps, so that what runs is let go of, and collects garbage until what that finds has been told. */
  async function collect(): Promise<void> {
    await stage.clock.advance("2s");
    await watching.sweep();
    for (let round = 0; round < 3; round++) {
      // A turn first: what has just run may still be on the stack.
      await turn();
      globalThis.gc?.();
      for (let turns = 0; turns < 3; turns++) await turn();
    }
  }
}

const paths = (found: readonly FindingEvent[]): string[] =>
  found.map(({ finding, path }) => `${finding} ${path}`).toSorted();

describe("5.6 lost", () => {
  test("what awaits something that nobody can settle: found, told its awaiters, terminal", async () => {
    const { app, found, collect } = watched();
    const task = app.spawn("a", async () => {
      await nothing();
    });
    const error = rejection(task);
    await collect();
    expect(paths(found)).toEqual(["lost app/a"]);
    expect(found[0]?.text).toBe(
      "app/a waits for what nothing can settle any more: " +
        "let every path of what it awaits resolve or reject, or give it a timeout",
    );
    expect(await error).toBeInstanceOf(TaskLostError);
    expect(task.state).toBe("lost");
  });

  test("also through functions, Promise.all, and a promise that was adopted; its children are cancelled", async () => {
    const { app, found, collect } = watched();
    const inner = async (): Promise<void> => {
      await nothing();
    };
    app.spawn("nested", async () => {
      await inner();
    });
    app.spawn("all", () => Promise.all([nothing(), Promise.resolve()]));
    app.adopt("adopted", nothing());
    let child: Task<void> | undefined;
    app.spawn("parent", async (task) => {
      child = task.spawn("child", (own) => own.sleep("1h"));
      await nothing();
    });
    await collect();
    expect(paths(found)).toEqual(["lost app/adopted", "lost app/all", "lost app/nested", "lost app/parent"]);
    expect(child?.state).toBe("cancelled");
  });

  test("each attempt anew: what is lost is retried, and lost again", async () => {
    const { app, found, collect } = watched();
    const task = app.spawn("a", () => nothing(), {
      retry: { attempts: 2, kind: "constant", min: "1ms", jitter: "none" },
    });
    await collect();
    await stage.clock.advance("1s");
    expect(task.info().attempt).toBe(2);
    await collect();
    expect(paths(found)).toEqual(["lost app/a", "lost app/a"]);
    expect(task.state).toBe("lost");
  });

  test("a block that waits for nothing fails what it is in", async () => {
    const { app, found, collect } = watched();
    const task = app.spawn("a", async (own: TaskContext) => {
      await own.shield(() => nothing());
    });
    const error = rejection(task);
    await collect();
    expect(await error).toBeInstanceOf(TaskLostError);
    expect(paths(found)).toEqual(["lost app/a"]);
  });

  test("never what a timer, a listener, a map, its signal, a live task or another's hands can still settle", async () => {
    const { app, found, collect } = watched();
    const held: ((value?: unknown) => void)[] = [];
    let isOver = false;
    const emitter = new EventTarget();
    const blocker = app.spawn("blocker", (task) => task.sleep("1h"));
    app.spawn("sleep", async (task) => {
      await task.sleep("1h");
    });
    app.spawn("held", async () => {
      await new Promise((resolve) => held.push(resolve));
    });
    app.spawn("listener", async () => {
      await new Promise((resolve) => {
        emitter.addEventListener("event", resolve);
      });
    });
    app.spawn("signal", async (task) => {
      await new Promise((_, reject) => {
        task.signal.addEventListener("abort", () => reject(task.signal.reason as Error));
      });
    });
    app.spawn("other", async () => {
      await blocker;
    });
    app.spawn("immediate", async () => {
      while (!isOver) await turn();
    });
    await collect();
    await collect();
    expect(found).toEqual([]);
    held[0]?.();
    emitter.dispatchEvent(new Event("event"));
    isOver = true;
    await app.cancel();
  });

  test("nothing is let go of before the first sweep, nor what is done", async () => {
    const { app, found } = watched();
    const task = app.spawn("a", () => nothing());
    await turn();
    for (let round = 0; round < 3; round++) {
      globalThis.gc?.();
      await turn();
    }
    expect(found).toEqual([]);
    expect(task.state).toBe("running");
    void task.outcome();
    void task.cancel();
    await stage.clock.advance("10s");
    expect(paths(found)).toEqual(["unresponsive app/a"]);
  });
});
