import type { FastifyInstance } from "fastify";
import type { Task, TaskContext } from "holdfast";

import { Lock } from "./lock.ts";
import type { Bookkeeping } from "./deliveries.ts";

/*
 * A mistake, made on purpose, so that the tour has something to find: two tasks take the same two locks, each in an
 * order of its own. Each has one of them and waits for the other one, for ever. Nothing fails, nothing is logged, and
 * no processor is busy. Courier has it only where COURIER_MISTAKE says "made", or "mended": then the order is the same.
 */
export function addMistake(app: FastifyInstance, { scope, store, counts, settings, log }: Bookkeeping): void {
  const endpoints = new Lock();
  const deliveries = new Lock();
  const books = scope.scope("books");
  const tasks: Task<void>[] = [];

  async function statement(task: TaskContext): Promise<void> {
    task.defer(await endpoints.take(task.signal));
    const known = await store.endpoints();
    task.defer(await deliveries.take(task.signal)); // archive has them
    const { delivered } = await counts();
    log(`statement: ${delivered} deliveries to ${known.length} endpoints`);
  }

  async function archive(task: TaskContext): Promise<void> {
    const isMade = settings.mistake === "made";
    if (!isMade) task.defer(await endpoints.take(task.signal));
    task.defer(await deliveries.take(task.signal));
    const { delivered } = await counts();
    if (isMade) {
      task.defer(await endpoints.take(task.signal)); // statement has them
    }
    log(`archive: ${delivered} deliveries`);
  }

  /** Starts both. */
  app.post("/mistake", async (_request, reply) => {
    tasks.push(books.spawn("statement", statement), books.spawn("archive", archive));
    return reply.code(202).send(tasks.map(({ path }) => path));
  });

  /** Cancels the last one, and answers when all have ended, with how: what it held is given back, and others go on. */
  app.delete("/mistake", async () => {
    await tasks.at(-1)?.cancel("whoever looked has seen enough");
    const ended = tasks.splice(0).map(async (task) => [task.name, (await task.outcome()).state]);
    return Object.fromEntries(await Promise.all(ended)) as Record<string, string>;
  });
}
