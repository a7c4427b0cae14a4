import { join } from "node:path";
import { afterEach, expect, test } from "vitest";

import type { JobsAnswer } from "../../src/agent/answers.ts";
import type { Agent } from "../../src/agent/agent.ts";
import { defineJob, openQueue, type Engine } from "../../src/jobs/index.ts";
import { sqlite } from "../../src/jobs/sqlite/index.ts";
import { useManualClock } from "../../src/testing/index.ts";
import { agentOf, ask, atEnd, faults, folder, tidy } from "./ask.ts";

afterEach(tidy());

const forever = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

async function jobsOf(agent: Agent): Promise<JobsAnswer["queues"]> {
  const { status, json } = await ask(agent, "/jobs");
  expect({ status, faults: faults("Jobs", json) }).toEqual({ status: 200, faults: [] });
  return (json as unknown as JobsAnswer).queues;
}

test("GET /jobs: what runs here of each open queue, and the counts of its store", async () => {
  const { app, agent } = await agentOf();
  expect(await jobsOf(agent)).toEqual([]);
  const engine = sqlite(join(folder(), "jobs.db"));
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const mail = defineJob("mail", {
    run: async (_: number, job) => {
      begin();
      await forever(job.signal);
    },
  });
  const worker = await openQueue({ scope: app, engine, jobs: [mail], concurrency: 1 });
  const client = await openQueue({ scope: app, engine, jobs: [mail], name: "client", work: false });
  await client.enqueueMany(mail, [{ input: 1 }, { input: 2, delay: "1h" }, { input: 3 }]);
  await begun;
  const counts = { queued: 2, running: 1, succeeded: 0, failed: 0, cancelled: 0, isPaused: false };
  const stats = { ...counts, names: { mail: { ...counts, oldestReadyAt: expect.any(Number) as number } } };
  const of = { state: "open", engine: engine.name, stats };
  expect(await jobsOf(agent)).toEqual([
    { ...of, path: "app/jobs", jobs: ["mail"], running: 1, concurrency: 1 },
    { ...of, path: "app/client", jobs: [], running: 0, concurrency: 10 },
  ]);
  await client.close();
  expect((await jobsOf(agent)).map(({ path }) => path)).toEqual(["app/jobs"]);
  await worker.close({ drain: 0 });
});

test("a queue of another scope is none of its business", async () => {
  const { app } = await agentOf();
  const { agent } = await agentOf({ scope: app.scope("side") });
  const queue = await openQueue({ scope: app, engine: sqlite(":memory:"), jobs: [] });
  expect(await jobsOf(agent)).toEqual([]);
  await queue.close();
});

test("an engine that does not answer is told of, after a while", async () => {
  const clock = useManualClock();
  atEnd(() => clock.uninstall());
  const { app, agent } = await agentOf();
  const real = sqlite(":memory:");
  const deaf: Engine = {
    ...real,
    open: async (context) =>
      Object.assign(await real.open(context), { stats: () => new Promise<never>(() => undefined) }),
  };
  const queue = await openQueue({ scope: app, engine: deaf, jobs: [], work: false });
  const asked = jobsOf(agent);
  while (clock.pending === 0) await new Promise(setImmediate);
  await clock.advance("5s");
  expect(await asked).toMatchObject([
    {
      path: "app/jobs",
      error: { message: expect.stringMatching(/has not answered within 5000 ms$/) as string },
    },
  ]);
  await queue.close();
});
