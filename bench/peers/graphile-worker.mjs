import { EventEmitter } from "node:events";

import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";

import { newDatabase } from "./database.mjs";

const BATCH = 1_000;
const NAME = "nothing";

const logger = new Logger(() => () => {});

/** As it comes, and as its documentation tunes it: jobs are fetched ahead, and their ends are stored together. */
export const contenders = (url) => [
  { name: "graphile-worker", open: () => open(url, () => ({})) },
  {
    name: "graphile-worker, tuned",
    open: () =>
      open(url, (concurrency) => ({
        localQueue: { size: Math.max(500, concurrency + 1) },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      })),
  },
];

async function open(server, tuning) {
  const database = await newDatabase(server);
  const pool = new pg.Pool({ connectionString: database.url, max: 20 });
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  const begin = (concurrency, task, events = new EventEmitter()) =>
    run({
      events,
      preset: {
        worker: { concurrentJobs: concurrency, logger, ...tuning(concurrency) },
      },
      pgPool: pool,
      noHandleSignals: true,
      taskList: { [NAME]: task },
      crontab: "",
    });
  return {
    producer: async () => ({
      enqueue: async (count) => {
        for (let left = count; left > 0; left -= BATCH)
          await utils.addJobs(
            Array.from({ length: Math.min(left, BATCH) }, () => ({ identifier: NAME, payload: {} })),
          );
      },
      close: async () => {},
    }),
    worker: async (concurrency, count) => {
      const all = Promise.withResolvers();
      let left = count;
      let runner;
      return {
        run: async () => {
          const events = new EventEmitter();
          events.on("job:complete", () => {
            if (--left === 0) all.resolve();
          });
          runner = await begin(concurrency, async () => {}, events);
          await all.promise;
          // It tells of an end before it is stored, which removes the job.
          while ((await pool.query("SELECT 1 FROM graphile_worker.jobs LIMIT 1")).rowCount > 0);
        },
        close: () => runner.stop(),
      };
    },
    listener: async (onStart) => {
      const runner = await begin(10, async () => onStart());
      return { add: () => utils.addJob(NAME, {}), close: () => runner.stop() };
    },
    close: async () => {
      await utils.release();
      await pool.end();
      await database.remove();
    },
  };
}
