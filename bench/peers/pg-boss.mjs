import { PgBoss } from "pg-boss";

import { newDatabase } from "./database.mjs";

const BATCH = 1_000;
const NAME = "nothing";
const LISTENED = "listened";

/**
 * Its own workers, and what is faster: fetching and completing by hand, in one loop or in two. Only the workers are told
 * of jobs when they come.
 */
export const contenders = (url) => [
  { name: "pg-boss, work()", open: () => open(url, byWork) },
  { name: "pg-boss, fetch + complete", open: () => byHandOnly(open(url, byHand(1))) },
  { name: "pg-boss, fetch + complete in two loops", open: () => byHandOnly(open(url, byHand(2))) },
];

const byHandOnly = async (opened) => ({ ...(await opened), listener: undefined });

async function open(server, way) {
  const database = await newDatabase(server);
  const boss = new PgBoss({
    connectionString: database.url,
    supervise: false,
    schedule: false,
    useListenNotify: true,
  });
  boss.on("error", () => {});
  await boss.start();
  await boss.createQueue(NAME);
  await boss.createQueue(LISTENED, { notify: true });
  return {
    producer: async () => ({
      enqueue: async (count) => {
        for (let left = count; left > 0; left -= BATCH)
          await boss.insert(
            NAME,
            Array.from({ length: Math.min(left, BATCH) }, () => ({ data: {} })),
          );
      },
      close: async () => {},
    }),
    worker: async (concurrency, count) => ({
      run: () => way(boss, concurrency, count),
      close: async () => {
        const [{ n }] = await database.ask(
          `SELECT count(*)::int AS n FROM pgboss.job WHERE name = '${NAME}' AND state <> 'completed'`,
        );
        if (n !== 0) throw new Error(`pg-boss has left ${n} of ${count} jobs`);
      },
    }),
    listener: async (onStart) => {
      await boss.work(LISTENED, { pollingIntervalSeconds: 0.5 }, async () => onStart());
      return {
        add: () => boss.send(LISTENED, {}),
        close: () => boss.offWork(LISTENED, { wait: true }),
      };
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await database.remove();
    },
  };
}

async function byWork(boss, concurrency, count) {
  const all = Promise.withResolvers();
  let left = count;
  // Several fetch at once, where that leaves batches that are worth it.
  const localConcurrency = concurrency >= 100 ? 4 : 1;
  const batchSize = Math.ceil(concurrency / localConcurrency);
  await boss.work(
    NAME,
    { batchSize, localConcurrency, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
    async (jobs) => {
      if ((left -= jobs.length) <= 0) all.resolve();
    },
  );
  await all.promise;
  await boss.offWork(NAME, { wait: true });
}

const byHand = (loops) => (boss, concurrency) => {
  const loop = async () => {
    for (;;) {
      const jobs = await boss.fetch(NAME, { batchSize: Math.ceil(concurrency / loops) });
      if (jobs.length === 0) return;
      await boss.complete(
        NAME,
        jobs.map(({ id }) => id),
      );
    }
  };
  return Promise.all(Array.from({ length: loops }, loop));
};
