import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const BATCH = 1_000;
const NAME = "nothing";

/** BullMQ with its defaults: jobs in bulk, one worker that runs many at once. */
export const contenders = (url) => {
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port) };
  return [{ name: "BullMQ", open: () => open(connection) }];
};

async function open(connection) {
  const client = new Redis(connection);
  await client.flushall();
  client.disconnect();
  const queue = new Queue(NAME, { connection });
  await queue.waitUntilReady();
  return {
    producer: async () => ({
      enqueue: async (count) => {
        for (let left = count; left > 0; left -= BATCH)
          await queue.addBulk(
            Array.from({ length: Math.min(left, BATCH) }, () => ({ name: NAME, data: {} })),
          );
      },
      close: async () => {},
    }),
    worker: async (concurrency, count) => {
      const all = Promise.withResolvers();
      let left = count;
      const before = await queue.getCompletedCount();
      const worker = new Worker(NAME, async () => {}, { connection, concurrency, autorun: false });
      // Told when it is stored.
      worker.on("completed", () => {
        if (--left === 0) all.resolve();
      });
      await worker.waitUntilReady();
      return {
        run: async () => {
          const running = worker.run();
          void running.catch((error) => all.reject(error));
          await all.promise;
        },
        close: async () => {
          const completed = (await queue.getCompletedCount()) - before;
          await worker.close();
          if (completed !== count) throw new Error(`BullMQ has completed ${completed} of ${count} jobs`);
        },
      };
    },
    listener: async (onStart) => {
      const worker = new Worker(NAME, async () => onStart(), { connection });
      await worker.waitUntilReady();
      return { add: () => queue.add(NAME, {}), close: () => worker.close() };
    },
    close: () => queue.close(),
  };
}
