import { expect, test } from "vitest";
import { TaskLostError, currentTask, type Task, type TaskContext } from "../../src/core/index.ts";
import { currentNode } from "../../src/core/context.ts";
import { loseTask } from "../../src/core/lost.ts";
import type { TaskNode } from "../../src/core/task-node.ts";
import { forever, journal, rejection, turn, useStage } from "./stage.ts";

const stage = useStage();

/** What the watch will do when the garbage collector has proved it: here a task declares itself. */
function ownNode(): TaskNode {
  const node = currentNode();
  if (node === undefined) throw new Error("called outside of any task");
  return node;
}

test("4.2 Delivery: lost is delivered, like failures", async () => {
  const delivered: unknown[] = [];
  const app = stage.open("app", { onError: (error) => delivered.push(error) });
  let node: TaskNode | undefined;
  const task = app.spawn("a", () => {
    node = ownNode();
    return forever();
  });
  await turn();
  loseTask(node as TaskNode);
  await turn();
  expect(task.state).toBe("lost");
  expect(delivered).toHaveLength(1);
  expect(delivered[0]).toBeInstanceOf(TaskLostError);
  expect(await task.outcome()).toEqual({ state: "lost" });
  expect(app.stats()).toMatchObject({ lost: 1, live: 0 });
});

test("5 its awaiters get TaskLostError rather than hanging", async () => {
  const app = stage.open();
  let node: TaskNode | undefined;
  const task = app.spawn("a", () => {
    node = ownNode();
    return forever();
  });
  const error = rejection(task);
  await turn();
  loseTask(node as TaskNode);
  expect(await error).toMatchObject({ code: "HF_TASK_LOST", path: "app/a" });
});

test("5 a lost task's children are cancelled and awaited, its defers run, then it is terminal", async () => {
  const app = stage.open();
  const log: string[] = [];
  let node: TaskNode | undefined;
  const task = app.spawn("a", (self: TaskContext) => {
    node = ownNode();
    expect(currentTask()).toBe(self);
    self.defer(() => void log.push(`defer, task ${task.state}`));
    self.spawn("child", async (child) => {
      await rejection(child.sleep("1h"));
      await child.shield(() => child.sleep("1s"));
      log.push("child ended");
      child.throwIfCancelled();
    });
    return forever();
  });
  void task.outcome();
  await turn();
  loseTask(node as TaskNode);
  await stage.clock.advance("1s");
  expect(log).toEqual(["child ended", "defer, task running"]);
  expect(task.state).toBe("lost");
});

test("5 retry treats it as a failure with TaskLostError", async () => {
  const app = stage.open();
  const lines = journal(app, "retry", "end");
  const nodes: TaskNode[] = [];
  const task: Task<string> = app.spawn(
    "a",
    (self) => {
      nodes.push(ownNode());
      return self.attempt === 1 ? forever() : "second";
    },
    { retry: { attempts: 2, kind: "constant", min: "1s", jitter: "none" } },
  );
  await turn();
  loseTask(nodes[0] as TaskNode);
  await stage.clock.advance("1s");
  expect(await task).toBe("second");
  expect(task.info().attempts).toMatchObject([{ error: { code: "HF_TASK_LOST" } }]);
  expect(lines).toEqual(["retry a", "end a"]);
});

test("5 restart treats it as a failure with TaskLostError", async () => {
  const app = stage.open();
  const errors: unknown[] = [];
  app.on("restart", (event) => errors.push(event.error.code));
  const nodes: TaskNode[] = [];
  app.service(
    "s",
    (self) => {
      nodes.push(ownNode());
      return self.attempt === 1 ? forever() : self.sleep("365d");
    },
    { backoff: { kind: "constant", min: "1s", jitter: "none" } },
  );
  await turn();
  loseTask(nodes[0] as TaskNode);
  await stage.clock.advance("1s");
  expect(nodes).toHaveLength(2);
  expect(errors).toEqual(["HF_TASK_LOST"]);
});
