import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as timer } from "node:timers/promises";

import { body, BURST, HOUR, release, untilReleased } from "./body.mjs";
import { untilFired } from "./timers.mjs";

const storage = new AsyncLocalStorage();

/** What there is without any library: nobody owns anything. */
const bare = {
  name: "bare async call",
  loops: {
    oneByOne: async (count) => {
      for (let i = 0; i < count; i++) await body();
    },
    awaitAll: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(body());
        await Promise.all(calls);
      }
    },
    awaitEach: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(body());
        for (const call of calls) await call;
      }
    },
  },
  herds: {
    "parked promise": (count) => {
      for (let i = 0; i < count; i++) void sleeper();
      return { end: release };
    },
    "two nested async functions, parked": (count) => {
      for (let i = 0; i < count; i++) void nested();
      return { end: release };
    },
    "timers/promises": (count) => {
      for (let i = 0; i < count; i++) void timed();
      return { end: untilFired };
    },
  },
};

async function sleeper() {
  await untilReleased();
}

async function nested() {
  await sleeper();
}

async function timed() {
  await timer(untilFired.after);
}

/** One async context frame for each call: what it costs that the current task is known after every await. */
const frame = {
  name: "als.run",
  loops: {
    oneByOne: async (count) => {
      for (let i = 0; i < count; i++) await storage.run({}, body);
    },
    awaitAll: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(storage.run({}, body));
        await Promise.all(calls);
      }
    },
  },
  herds: {
    "parked promise": (count) => {
      for (let i = 0; i < count; i++) void storage.run({}, sleeper);
      return { end: release };
    },
  },
};

/** Ownership as it is written by hand: a Set of what lives, and `finally`. */
class Owner {
  live = new Set();

  spawn(run) {
    const promise = run().finally(() => {
      this.live.delete(promise);
    });
    this.live.add(promise);
    return promise;
  }
}

const owner = new Owner();

const byHand = {
  name: "by hand",
  loops: {
    oneByOne: async (count) => {
      for (let i = 0; i < count; i++) await owner.spawn(body);
    },
    awaitAll: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(owner.spawn(body));
        await Promise.all(calls);
      }
    },
    awaitEach: async (count) => {
      for (let done = 0; done < count; done += BURST) {
        const calls = [];
        for (let i = 0; i < BURST; i++) calls.push(owner.spawn(body));
        for (const call of calls) await call;
      }
    },
    untilIdle: async (count) => {
      const set = new Owner();
      for (let done = 0; done < count; done += BURST) {
        for (let i = 0; i < BURST; i++) void set.spawn(body);
        await Promise.all(set.live);
      }
    },
  },
  herds: {
    "parked promise": (count) => {
      for (let i = 0; i < count; i++) void owner.spawn(sleeper);
      return { end: release, oneByOne: byHand.loops.oneByOne };
    },
    "timers/promises": (count) => {
      for (let i = 0; i < count; i++) void owner.spawn(timed);
      return { end: untilFired };
    },
    "timers/promises, an AbortController each": (count) => {
      const controllers = [];
      for (let i = 0; i < count; i++) {
        const controller = new AbortController();
        controllers.push(controller);
        owner.spawn(() => abortable(controller.signal)).catch(expected);
      }
      return {
        end: async () => {
          const live = [...owner.live];
          for (const controller of controllers) controller.abort();
          await Promise.allSettled(live);
        },
      };
    },
  },
  cancels: ["timers/promises, an AbortController each"],
  lives: ["parked promise"],
};

async function abortable(signal) {
  await timer(HOUR, undefined, { signal });
}

function expected(error) {
  if (error.name !== "AbortError") throw error;
}

export const contenders = [bare, frame, byHand];
