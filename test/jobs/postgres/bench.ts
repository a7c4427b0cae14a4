import { Pool, type PoolClient } from "pg";

import type { EngineBench, EngineHarness } from "../../../src/jobs/conformance/index.ts";
import type { EngineClock, JobStore } from "../../../src/jobs/engine.ts";
import { postgres } from "../../../src/jobs/postgres/index.ts";

/** Time as it is: a server cannot be given another. */
export const realClock: EngineClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  later: (ms, fn, isIdle = false) => {
    const timer = setTimeout(fn, ms);
    if (isIdle) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Of one engine: breaks all of its connections, and lets it make no others. */
function cut(pool: Pool): void {
  pool.connect = (() => Promise.reject(new Error("the process is dead"))) as Pool["connect"];
  const { _clients: clients } = pool as unknown as {
    _clients: { connection: { stream: { destroy(): void } } }[];
  };
  for (const { connection } of [...clients]) connection.stream.destroy();
}

let count = 0;

/** A schema of one's own, on the server of this run. */
export function newSchema(): string {
  return `hf_${process.pid}_${++count}`;
}

/** Harness for the conformance suite. A lease takes ten seconds, which pass: run cases side by side. */
export function postgresHarness(url: string): EngineHarness {
  const { capabilities } = postgres(url);
  const admin = new Pool({ connectionString: url, max: 4 });
  return {
    capabilities,
    offers: ["crash", "transaction"],
    create: () => {
      const schema = newSchema();
      const pools: Pool[] = [];
      const made = new Map<JobStore, Pool>();
      const bench: EngineBench = {
        clock: realClock,
        lease: 10_000,
        engine: () => {
          // With a pool that the bench knows, it can be cut off.
          const pool = new Pool({ connectionString: url, max: 5, pipeline: true });
          pool.on("error", () => undefined);
          pools.push(pool);
          const engine = postgres({ pool, schema });
          return {
            ...engine,
            open: async (context) => {
              const store = await engine.open(context);
              made.set(store, pool);
              return store;
            },
          };
        },
        elapse: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
        crash: (store) => {
          const pool = made.get(store);
          if (pool !== undefined) cut(pool);
          return Promise.resolve();
        },
        transaction: (fn) => inTransaction(admin, fn),
        destroy: async () => {
          const ended = pools.map((pool) =>
            Promise.race([pool.end(), new Promise((resolve) => setTimeout(resolve, 1_000))]),
          );
          await Promise.allSettled(ended);
          await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
        },
      };
      return Promise.resolve(bench);
    },
  };
}

async function inTransaction<T>(pool: Pool, fn: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const answer = await fn(client);
    await client.query("COMMIT");
    return answer;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}
