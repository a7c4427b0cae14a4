import { Effect, Exit, Fiber, FiberSet, Scope } from "effect";

import { body, BURST } from "./body.mjs";

/** One value for all: an effect is a description, and may be run any number of times. */
const nap = Effect.sleep("1 hour");

const turn = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/** Fibers of one's own, and `Fiber.interruptAll`. */
async function detached(count, sleep) {
  const fibers = [];
  for (let i = 0; i < count; i++) fibers.push(Effect.runFork(sleep()));
  await turn();
  return {
    end: () => Effect.runPromise(Fiber.interruptAll(fibers)),
    oneByOne: runPromise.loops.oneByOne,
  };
}

/** Children of one fiber, which is interrupted. */
async function children(count) {
  let ready;
  const all = new Promise((resolve) => {
    ready = resolve;
  });
  const parent = Effect.runFork(
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Effect.forkChild(nap);
      ready();
      yield* Effect.never;
    }),
  );
  await all;
  await turn();
  return { end: () => Effect.runPromise(Fiber.interrupt(parent)) };
}

/** Children of the very fiber that then forks and joins. */
async function siblings(count) {
  const wanted = [];
  let wake;
  let ready;
  const all = new Promise((resolve) => {
    ready = resolve;
  });
  const parent = Effect.runFork(
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Effect.forkChild(nap);
      ready();
      for (;;) {
        yield* Effect.promise(
          () =>
            new Promise((resolve) => {
              wake = resolve;
              if (wanted.length > 0) resolve();
            }),
        );
        const { ops, done } = wanted.shift();
        for (let i = 0; i < ops; i++) yield* Fiber.join(yield* Effect.forkChild(Effect.promise(body)));
        done();
      }
    }),
  );
  await all;
  await turn();
  return {
    end: () => Effect.runPromise(Fiber.interrupt(parent)),
    oneByOne: (ops) =>
      new Promise((done) => {
        wanted.push({ ops, done });
        wake?.();
      }),
  };
}

/** Fibers forked in a scope, which is closed. */
async function inScope(count) {
  const scope = Effect.runSync(Scope.make());
  await Effect.runPromise(
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* Effect.forkIn(nap, scope);
    }),
  );
  await turn();
  return { end: () => Effect.runPromise(Scope.close(scope, Exit.void)) };
}

/** Fibers in a FiberSet, which is cleared. */
async function inFiberSet(count) {
  const scope = Effect.runSync(Scope.make());
  const set = Effect.runSync(Scope.provide(FiberSet.make(), scope));
  await Effect.runPromise(
    Effect.gen(function* () {
      for (let i = 0; i < count; i++) yield* FiberSet.run(set, nap);
    }),
  );
  await turn();
  return { end: () => Effect.runPromise(FiberSet.clear(set)) };
}

const runPromise = {
  name: "Effect runPromise",
  loops: {
    oneByOne: async (count) => {
      for (let i = 0; i < count; i++) await Effect.runPromise(Effect.promise(body));
    },
    awaitAll: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(Effect.runPromise(Effect.promise(body)));
        await Promise.all(calls);
      }
    },
    awaitEach: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(Effect.runPromise(Effect.promise(body)));
        for (const call of calls) await call;
      }
    },
  },
  herds: {
    "runFork, one sleep effect for all": (count) => detached(count, () => nap),
    "runFork, a sleep effect each": (count) => detached(count, () => Effect.sleep("1 hour")),
    "children of one fiber": children,
    "forkIn a Scope": inScope,
    "FiberSet.run": inFiberSet,
  },
  cancels: ["runFork, one sleep effect for all", "children of one fiber", "forkIn a Scope", "FiberSet.run"],
  lives: ["runFork, one sleep effect for all"],
};

/** Inside one `runPromise`: fork a child, join it. */
const forkJoin = {
  name: "Effect forkChild + join",
  loops: {
    oneByOne: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < count; i++) yield* Fiber.join(yield* Effect.forkChild(Effect.promise(body)));
        }),
      ),
    awaitAll: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let done = 0; done < count; done += BURST) {
            const fibers = [];
            for (let i = 0; i < BURST; i++) fibers.push(yield* Effect.forkChild(Effect.promise(body)));
            yield* Fiber.joinAll(fibers);
          }
        }),
      ),
    awaitEach: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let done = 0; done < count; done += BURST) {
            const fibers = [];
            for (let i = 0; i < BURST; i++) fibers.push(yield* Effect.forkChild(Effect.promise(body)));
            for (const fiber of fibers) yield* Fiber.join(fiber);
          }
        }),
      ),
  },
  herds: { "children of the fiber that goes on forking": siblings },
  lives: ["children of the fiber that goes on forking"],
};

/** The same with the child started at once, not by the scheduler. */
const forkJoinNow = {
  name: "Effect forkChild + join, started at once",
  loops: {
    oneByOne: (count) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < count; i++) {
            yield* Fiber.join(yield* Effect.forkChild(Effect.promise(body), { startImmediately: true }));
          }
        }),
      ),
  },
};

/** From outside: `runFork`, then the join as a promise. */
const runFork = {
  name: "Effect runFork + join",
  loops: {
    oneByOne: async (count) => {
      for (let i = 0; i < count; i++) {
        await Effect.runPromise(Fiber.join(Effect.runFork(Effect.promise(body))));
      }
    },
    untilIdle: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const fibers = [];
        for (let i = 0; i < BURST; i++) fibers.push(Effect.runFork(Effect.promise(body)));
        await Effect.runPromise(Fiber.awaitAll(fibers));
      }
    },
  },
};

/** A set that knows its fibers, and when it is empty. */
const fiberSet = {
  name: "Effect FiberSet",
  loops: {
    untilIdle: (count) =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const set = yield* FiberSet.make();
            const run = yield* FiberSet.runtime(set)();
            for (let done = 0; done < count; done += BURST) {
              for (let i = 0; i < BURST; i++) run(Effect.promise(body));
              yield* FiberSet.awaitEmpty(set);
            }
          }),
        ),
      ),
  },
};

export const contenders = [runPromise, forkJoin, forkJoinNow, runFork, fiberSet];
