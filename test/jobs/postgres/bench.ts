import { Socket } from "node:net";

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

/** The sockets of one engine, which can be broken together: then it gets no others. */
class Wires {
  readonly #sockets: Socket[] = [];
  #isCut = false;

  /** As `pg` asks for one. */
  readonly make = (): Socket => {
    if (this.#isCut) throw new Error("the process is dead");
    const socket = new Socket();
    this.#sockets.push(socket);
    return socket;
  };

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
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
      const made = new Map<JobStore, Wires>();
      let isGiven = true;
      const bench: EngineBench = {
        clock: realClock,
        lease: 10_000,
        engine: () => {
          // By turns with pools of its own, and with one that it is given.
          isGiven = !isGiven;
          const wires = new Wires();
          const pg = { stream: wires.make };
          const engine = isGiven
            ? postgres({ pool: newPool(url, pg, pools), schema })
            : postgres({ connectionString: url, connections: 5, pg, schema });
          return {
            ...engine,
            open: async (context) => {
              const store = await engine.open(context);
              made.set(store, wires);
              return store;
            },
          };
        },
        elapse: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
        crash: (store) => {
          made.get(store)?.cut();
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

function newPool(connectionString: string, pg: object, pools: Pool[]): Pool {
  const pool = new Pool({ connectionString, max: 5, pipeline: true, ...pg });
  pool.on("error", () => undefined);
  pools.push(pool);
  return pool;
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
