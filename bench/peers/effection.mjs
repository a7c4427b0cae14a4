import { createScope, run, sleep, spawn, suspend, until } from "effection";

import { body, BURST, HOUR } from "./body.mjs";

function* operation() {
  yield* until(body());
}

function* sleeper() {
  yield* sleep(HOUR);
}

/** Children of one task, which is halted. */
async function children(count) {
  let ready;
  const all = new Promise((resolve) => {
    ready = resolve;
  });
  const parent = run(function* () {
    for (let i = 0; i < count; i++) void (yield* spawn(sleeper));
    ready();
    yield* suspend();
  });
  parent.catch(() => undefined);
  await all;
  return { end: () => parent.halt() };
}

/** Tasks of one scope, which is destroyed. */
async function inScope(count) {
  const [scope, destroy] = createScope();
  for (let i = 0; i < count; i++) scope.run(sleeper).catch(() => undefined);
  return { end: () => destroy(), oneByOne: (ops) => oneByOne(scope, ops) };
}

async function oneByOne(scope, count) {
  for (let i = 0; i < count; i++) await scope.run(operation);
}

const fromOutside = {
  name: "Effection scope.run",
  loops: {
    oneByOne: async (count) => {
      const [scope, destroy] = createScope();
      await oneByOne(scope, count);
      await destroy();
    },
    awaitAll: async (count) => {
      const [scope, destroy] = createScope();
      for (let done = 0; done < count; done += BURST) {
        const tasks = [];
        for (let i = 0; i < BURST; i++) tasks.push(scope.run(operation));
        await Promise.all(tasks);
      }
      await destroy();
    },
  },
  herds: { "scope.run": inScope, "children of one task": children },
  cancels: ["scope.run", "children of one task"],
};

const fromInside = {
  name: "Effection spawn",
  loops: {
    oneByOne: (count) =>
      run(function* () {
        for (let i = 0; i < count; i++) yield* yield* spawn(operation);
      }),
    untilIdle: (count) =>
      run(function* () {
        for (let done = 0; done < count; done += BURST) {
          const tasks = [];
          for (let i = 0; i < BURST; i++) tasks.push(yield* spawn(operation));
          for (const task of tasks) yield* task;
        }
      }),
  },
};

export const contenders = [fromOutside, fromInside];
