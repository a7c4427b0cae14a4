import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openScope } from "../../../src/index.ts";
import { defineJob, EngineError, openQueue, type Queue } from "../../../src/jobs/index.ts";
import { PostgresServer } from "../../jobs/postgres/server.ts";
import { engineOf } from "./fixtures/engine-of.ts";
import { Oracle } from "./oracle.ts";
import { CuttingProxy, type Cut } from "./proxy.ts";

/** `npm run test:faults` cuts in the middle of each packet, `npm test` of every fifth. */
const STEP = process.env["HOLDFAST_FAULTS"] === undefined ? 5 : 1;

const server = new PostgresServer({ isDurable: true });
beforeAll(() => server.start());
afterAll(() => server.remove());

async function open(
  url: string,
  schema: string,
  options: Partial<Parameters<typeof openQueue>[0]> = {},
): Promise<Queue> {
  const scope = openScope("test");
  onTestFinished(async () => void (await scope.close()));
  const engine = await engineOf(`${url}#${schema}`);
  return openQueue({ scope, engine, jobs: [], work: false, onTrouble: () => undefined, ...options });
}

test(
  "a Postgres that is killed and started again: workers and enqueuers go on by themselves, nothing acknowledged is lost",
  { timeout: 180_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-outage-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const oracle = new Oracle(folder, onTestFinished);
    const engine = `${server.url}#outage`;
    const common = ["--engine", engine, "--lease", "10s"];
    const workers = [
      oracle.start([...common, "--role", "work"]),
      oracle.start([...common, "--role", "work"]),
    ];
    const enqueuer = oracle.start([...common, "--role", "enqueue"]);
    const ends = (): number => oracle.heard.filter(({ what }) => what === "end").length;
    for (let kill = 0; kill < 3; kill++) {
      const before = ends();
      await oracle.until(() => ends() >= before + 20);
      await server.kill();
      await oracle.until(() => oracle.heard.filter(({ what }) => what === "refused").length > kill);
      await server.start();
    }
    const before = ends();
    await oracle.until(() => ends() >= before + 20);
    await enqueuer.end();
    const queue = await open(server.url, "outage");
    const acknowledged = oracle.heard.filter(({ what }) => what === "enqueued");
    for (const { id, text } of acknowledged) expect(await queue.result(id), `job ${id}`).toBe(Number(text));
    // Nobody died of it.
    expect([...workers, enqueuer].map(({ process: one }) => one.signalCode)).toEqual([null, null, null]);
    const ended = oracle.heard.flatMap(({ what, id }) => (what === "end" ? [id] : []));
    expect(ended.filter((id, at) => ended.indexOf(id) !== at)).toEqual([]);
    const codes = new Set(oracle.heard.filter(({ what }) => what === "refused").map(({ text }) => text));
    for (const code of codes) expect(["HF_ENGINE_UNAVAILABLE", "HF_ENGINE_UNSURE"]).toContain(code);
    await Promise.all(workers.map((one) => one.end()));
  },
);

test.each<Cut>(["before it arrives", "before the answer"])(
  "connections that are cut in the middle of a statement, %s: what was acknowledged is stored and done once, what was refused is not there",
  { timeout: STEP === 1 ? 1_800_000 : 240_000 },
  async (cut) => {
    const schema = `cuts_${cut.startsWith("before it") ? "a" : "b"}`;
    const direct = await open(server.url, schema);
    const proxy = new CuttingProxy();
    const url = await proxy.listen(server.url);
    const runs = new Map<number, number>();
    const work = defineJob("work", {
      retry: { attempts: 3, min: 10, max: 10 },
      run: async ({ n }: { n: number }, job) => {
        runs.set(n, (runs.get(n) ?? 0) + 1);
        await job.step("one", () => n);
        return n;
      },
    });
    const seen = { cuts: 0, refused: 0, unsure: 0 };
    for (let nth = 1, isOver = false; !isOver; nth += STEP) {
      proxy.arm(nth, cut);
      let queue: Queue;
      const scope = openScope("cut");
      const engine = await engineOf(`${url}#${schema}`);
      try {
        queue = await openQueue({ scope, engine, jobs: [work], onTrouble: () => undefined });
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
        seen.cuts++;
        await scope.close();
        continue;
      }
      let id: string | undefined;
      try {
        ({ id } = await queue.enqueue(work, { n: nth }, { key: String(nth) }));
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
        const { code } = error as EngineError;
        expect(["HF_ENGINE_UNAVAILABLE", "HF_ENGINE_UNSURE"]).toContain(code);
        seen.refused++;
        const there = await direct.list({ name: "work", key: String(nth) });
        if (code === "HF_ENGINE_UNAVAILABLE") expect(there.jobs, `after packet ${nth}`).toEqual([]);
        else seen.unsure++;
        id = there.jobs[0]?.id;
      }
      if (id !== undefined) expect(await direct.result(id), `after packet ${nth}`).toBe(nth);
      await scope.close();
      if (proxy.hasCut) seen.cuts++;
      // A cut that comes after the end of the story is none.
      isOver = !proxy.hasCut;
    }
    const stats = await direct.stats();
    expect(stats).toMatchObject({ queued: 0, running: 0, failed: 0, cancelled: 0 });
    console.log(
      `cut ${cut}: ${seen.cuts} times; ${seen.refused} enqueues refused, of which ${seen.unsure} unsure`,
    );
    expect(seen.cuts).toBeGreaterThan(2);
  },
);
