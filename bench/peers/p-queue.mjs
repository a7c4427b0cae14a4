import { setTimeout as timer } from "node:timers/promises";
import PQueue from "p-queue";

import { body, BURST, release, untilReleased } from "./body.mjs";
import { untilFired } from "./timers.mjs";

const queue = new PQueue();

const loops = {
  oneByOne: async (count) => {
    for (let i = 0; i < count; i++) await queue.add(body);
  },
  awaitAll: async (count) => {
    for (let done = 0; done < count; done += BURST) {
      const calls = [];
      for (let i = 0; i < BURST; i++) calls.push(queue.add(body));
      await Promise.all(calls);
    }
  },
  awaitEach: async (count) => {
    for (let done = 0; done < count; done += BURST) {
      const calls = [];
      for (let i = 0; i < BURST; i++) calls.push(queue.add(body));
      for (const call of calls) await call;
    }
  },
  untilIdle: async (count) => {
    const idle = new PQueue();
    for (let done = 0; done < count; done += BURST) {
      for (let i = 0; i < BURST; i++) void idle.add(body);
      await idle.onIdle();
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
    name: "p-queue",
    loops,
    herds: {
      "parked promise": (count) => {
        for (let i = 0; i < count; i++) void queue.add(sleeper);
        return { end: release, oneByOne: loops.oneByOne };
      },
      "timers/promises": (count) => {
        for (let i = 0; i < count; i++) void queue.add(timed);
        return { end: untilFired };
      },
    },
    lives: ["parked promise"],
  },
];
