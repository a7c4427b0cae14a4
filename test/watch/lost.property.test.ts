import { EventEmitter, once } from "node:events";
import { createServer, connect } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openScope, watch } from "../../src/index.ts";
import type { Scope, Task, TaskContext } from "../../src/index.ts";
import { deferred, turn } from "../core/stage.ts";

/*
 * Random programs whose tasks wait in every way there is. What can still be settled, by whoever has the means in hand,
 * must never be called lost; of what cannot, nearly all is found, and none of it could have been settled.
 */

/** What settles the promises that may be settled, later. */
interface Hands {
  readonly release: (() => void)[];
  readonly server: AddressInfo;
}

type Way = (hands: Hands, task: TaskContext) => Promise<unknown>;

/** Held by something: a timer, a listener, a map, a signal, a socket, the file system, another task. */
const held: Record<string, Way> = {
  "a timer": () => delay(60_000, undefined, { ref: false }),
  "a sleep": (_, task) => task.sleep("1h"),
  "an interval": (hands) => {
    const wait = deferred();
    const timer = setInterval(() => undefined, 60_000).unref();
    const stop = (): void => {
      clearInterval(timer);
      wait.resolve(undefined);
    };
    hands.release.push(stop);
    return wait.promise;
  },
  "a map": (hands) => new Promise<void>((resolve) => hands.release.push(resolve)),
  "a listener": (hands) => {
    const emitter = new EventEmitter();
    hands.release.push(() => emitter.emit("done"));
    return once(emitter, "done");
  },
  "an event target": (hands) => {
    const target = new EventTarget();
    hands.release.push(() => target.dispatchEvent(new Event("done")));
    return new Promise((resolve) => {
      target.addEventListener("done", resolve, { once: true });
    });
  },
  "its signal": (_, task) =>
    new Promise((_resolve, reject) => {
      task.signal.addEventListener("abort", () => reject(task.signal.reason as Error), { once: true });
    }),
  "a socket": async ({ server }) => {
    const socket = connect(server.port, "127.0.0.1");
    socket.unref();
    await once(socket, "close");
  },
  "a child": (_, task) => task.spawn("child", (own) => own.sleep("1h")).outcome(),
  "a weak reference to what is held": (hands) => {
    const box = { resolve: (): void => undefined };
    const promise = new Promise<void>((resolve) => (box.resolve = resolve));
    const weak = new WeakRef(box);
    hands.release.push(() => {
      box.resolve();
      weak.deref()?.resolve();
    });
    return promise;
  },
};

/** Held by nothing: whoever could have settled it is gone. */
const dropped: Record<string, Way> = {
  nothing: () => new Promise(() => undefined),
  "a listener of what is gone": () => once(new EventEmitter(), "never"),
  "a circle": () => {
    const box: { promise?: Promise<unknown> } = {};
    return (box.promise = new Promise((resolve) => {
      // It could be settled by what only it can reach.
      Object.assign(box, { resolve });
    }));
  },
  "a weak map": () => {
    const keys = new WeakMap<object, () => void>();
    return new Promise<void>((resolve) => keys.set({}, resolve));
  },
  "a race of such": () => Promise.race([new Promise(() => undefined), new Promise(() => undefined)]),
};

/** Around the wait: more functions, that are suspended as well. */
const wrappers: Record<string, (way: Way) => Way> = {
  directly: (way) => way,
  "in a function": (way) => async (hands, task) => {
    await way(hands, task);
  },
  "in functions": (way) => async (hands, task) => {
    const inner = async (): Promise<unknown> => await way(hands, task);
    return await inner();
  },
  "with all": (way) => (hands, task) => Promise.all([way(hands, task), Promise.resolve()]),
  "with then": (way) => (hands, task) => way(hands, task).then((value) => value),
  "in a generator": (way) => async (hands, task) => {
    async function* values(): AsyncGenerator {
      yield await way(hands, task);
    }
    for await (const _ of values());
  },
};

const oneOf = <T>(table: Record<string, T>): fc.Arbitrary<string> => fc.constantFrom(...Object.keys(table));
const plans = fc.array(
  fc.record({ isHeld: fc.boolean(), held: oneOf(held), dropped: oneOf(dropped), around: oneOf(wrappers) }),
  { minLength: 1, maxLength: 40, size: "max" },
);

let server: Server;
beforeAll(async () => {
  server = createServer((socket) => socket.unref()).unref();
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
});
afterAll(() => void server.close());

/** In a function of its own, so that nothing of it stays on the stack. */
function spawnAll(
  app: Scope,
  plan: readonly (typeof plans extends fc.Arbitrary<(infer P)[]> ? P : never)[],
  hands: Hands,
) {
  return plan.map((one, index) => {
    const way = one.isHeld ? held[one.held] : dropped[one.dropped];
    const name = `${index} ${one.isHeld ? one.held : one.dropped} ${one.around}`;
    const task: Task<unknown> = app.spawn(name, (own) =>
      (wrappers[one.around] as (way: Way) => Way)(way as Way)(hands, own),
    );
    return { task, isHeld: one.isHeld };
  });
}

test("what is lost could not have been settled; what can be is never lost", async () => {
  const seen = { held: 0, dropped: 0, found: 0 };
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const app = openScope("app", { onError: () => undefined });
      const watching = watch(app, { sweep: 1, linesEvery: false, overdue: false, blockAfter: false });
      const hands: Hands = { release: [], server: server.address() as AddressInfo };
      const tasks = spawnAll(app, plan, hands);
      await delay(3);
      await watching.sweep();
      for (let round = 0; round < 4; round++) {
        await turn();
        globalThis.gc?.();
        await turn();
      }
      const wrong = tasks
        .filter(({ task, isHeld }) => isHeld && task.state === "lost")
        .map(({ task }) => task.name);
      expect(wrong).toEqual([]);
      for (const { task, isHeld } of tasks) {
        if (isHeld) seen.held++;
        else {
          seen.dropped++;
          if (task.state === "lost") seen.found++;
        }
      }
      for (const release of hands.release) release();
      await app.close({ grace: 1 });
    }),
    { numRuns: 40 },
  );
  console.log(
    `${seen.held} tasks that could be settled, ${seen.dropped} that could not, ${seen.found} of them found`,
  );
  expect(seen.found).toBeGreaterThan(seen.dropped * 0.9);
}, 120_000);
