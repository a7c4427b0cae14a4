import Fastify from "fastify";
import { main, type TaskContext } from "holdfast";
import holdfast from "holdfast/fastify";

/* One of each thing that the watch, with its defaults, holds to be wrong; and beside them tasks that are well. */

const hour = (task: TaskContext): Promise<void> => task.sleep("1h");

await main("seeded", async (app) => {
  app.spawn("lost", () => new Promise(() => undefined));

  // Forty that take a moment, and one of the same name that does not end.
  await Promise.all(Array.from({ length: 40 }, () => app.spawn("fetch", (task) => task.sleep(20))));
  app.spawn("fetch", hour);

  // Thirty a minute more, from a hundred on.
  const leak = (): void => void app.spawn("leak", hour);
  for (let count = 0; count < 100; count++) leak();
  app.every("leaking", "2s", leak);

  const fastify = Fastify();
  await fastify.register(holdfast, { scope: app });
  fastify.get("/", () => {
    fastify.background.spawn("mail", hour);
    return { ok: true };
  });
  await fastify.inject("/");

  const stubborn = app.spawn("stubborn", () => new Promise((resolve) => setTimeout(resolve, 1e8)), {
    grace: "100ms",
  });
  setTimeout(() => void stubborn.cancel(), 2_000);

  // After the first sweep, which starts the thread that notices.
  const hog = async (task: TaskContext): Promise<void> => {
    await task.sleep("3s");
    for (const until = performance.now() + 1_500; performance.now() < until;);
  };
  app.spawn("hog", hog);

  // Quick, slow, many of a name, many at once: all of that is well.
  app.every("sync", "500ms", (task) => task.sleep(Math.random() * 300));
  app.every("burst", "30s", () => {
    for (let count = 0; count < 500; count++) app.spawn("item", (task) => task.sleep(Math.random() * 5_000));
  });
  app.service("poller", hour);
  console.log("ready");
});
