import { setTimeout as timer } from "node:timers/promises";
import pLimit from "p-limit";

import { body, BURST, release, untilReleased } from "./body.mjs";
import { untilFired } from "./timers.mjs";

const limit = pLimit(Number.POSITIVE_INFINITY);

const loops = {
  oneByOne: async (count) => {
    for (let i = 0; i < count; i++) await limit(body);
  },
  awaitAll: async (count) => {
    for (let done = 0; done < count; done += BURST) {
      const calls = [];
      for (let i = 0; i < BURST; i++) calls.push(limit(body));
      await Promise.all(calls);
    }
  },
  awaitEach: async (count) => {
    for (let done = 0; done < count; done += BURST) {
      const calls = [];
      for (let i = 0; i < BURST; i++) calls.push(limit(body));
      for (const call of calls) await call;
    }
  },
};

async function sleeper() {
  await untilReleased();
}

async function timed() {
  await timer(untilFired.after);
}

export const contenders = [
  {
    name: "p-limit",
    // It has no word for "all have ended" but the promises themselves.
    loops: { ...loops, untilIdle: loops.awaitAll },
    herds: {
      "parked promise": (count) => {
        for (let i = 0; i < count; i++) void limit(sleeper);
        return { end: release, oneByOne: loops.oneByOne };
      },
      "timers/promises": (count) => {
        for (let i = 0; i < count; i++) void limit(timed);
        return { end: untilFired };
      },
    },
    lives: ["parked promise"],
  },
];
