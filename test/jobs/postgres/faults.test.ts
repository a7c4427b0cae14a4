import { Socket } from "node:net";

import { Pool } from "pg";
import { PgBoss } from "pg-boss";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";

import type { EngineContext, JobStore, NewJob } from "../../../src/jobs/engine.ts";
import { postgres, type PostgresOptions } from "../../../src/jobs/postgres/index.ts";
import { newSchema, realClock } from "./bench.ts";
import { PostgresServer } from "./server.ts";

const shared = inject("postgresUrl");
const names = [{ name: "work", limit: 10 }];
const job: NewJob = {
  name: "work",
  input: "{}",
  priority: 0,
  maxLapses: 3,
  keep: { succeeded: Infinity, failed: Infinity },
};

/** Resolves when what is asked for has happened. */
class Heard {
  readonly troubles: unknown[] = [];
  readonly woken: string[] = [];
  #told: () => void = () => undefined;
  readonly context: EngineContext = {
    worker: "w",
    lease: 10_000,
    work: true,
    clock: realClock,
    wake: (what) => {
      this.woken.push(what);
      this.#told();
    },
    onTrouble: (error) => {
      this.troubles.push(error);
      this.#told();
    },
  };
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#told = resolve));
  }
}

/** A socket that adds to a list what was written to it. */
class Overheard extends Socket {
  readonly #said: string[];
  readonly #at: number;
  constructor(said: string[]) {
    super();
    this.#said = said;
    this.#at = said.push("") - 1;
  }
  override _write(...args: Parameters<Socket["_write"]>): void {
    this.#hear(args[0]);
    super._write(...args);
  }
  override _writev(...args: Parameters<NonNullable<Socket["_writev"]>>): void {
    for (const { chunk } of args[0]) this.#hear(chunk);
    super._writev?.(...args);
  }
  #hear(chunk: unknown): void {
    this.#said[this.#at] += Buffer.from(chunk as Uint8Array).toString("latin1");
  }
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

describe.skipIf(shared === "")("a server that goes away", () => {
  const server = new PostgresServer({ isDurable: true });
  beforeAll(() => server.start());
  afterAll(() => server.remove());

  test("operations reject while it is away, trouble is told once, and all goes on when it is back", async () => {
    const heard = new Heard();
    const engine = postgres({ connectionString: server.url, schema: newSchema() });
    const store = await engine.open(heard.context);
    const [before] = await store.enqueue([job]);
    await server.kill();
    await heard.until(() => heard.troubles.length > 0);
    for (let round = 0; round < 3; round++)
      await expect(store.enqueue([job])).rejects.toSatisfy(
        (error) => codeOf(error) === "HF_ENGINE_UNAVAILABLE" || codeOf(error) === "HF_ENGINE_UNSURE",
      );
    await expect(store.stats()).rejects.toMatchObject({ code: "HF_ENGINE_UNAVAILABLE" });
    await expect(engine.open(new Heard().context)).rejects.toMatchObject({ code: "HF_ENGINE_UNAVAILABLE" });
    heard.woken.length = 0;
    await server.start();
    await heard.until(() => ["jobs", "cancel", "end"].every((what) => heard.woken.includes(what)));
    expect(heard.troubles).toHaveLength(1);
    const { jobs } = await store.claim({ limit: 1, names });
    expect(jobs.map(({ id }) => id)).toEqual([before?.id]);
    // What listens is told of others again.
    const other = await engine.open(new Heard().context);
    heard.woken.length = 0;
    await other.enqueue([job]);
    await heard.until(() => heard.woken.includes("jobs"));
    await other.close();
    await store.close();
  });

  test("what was acknowledged when it was killed is there, and what was not is there completely or not at all", async () => {
    const heard = new Heard();
    const engine = postgres({ connectionString: server.url, schema: newSchema() });
    const store = await engine.open(heard.context);
    const acknowledged = new Set<string>();
    let isGone = false;
    const produce = async (): Promise<void> => {
      while (!isGone) {
        try {
          for (const { id } of await store.enqueue([job, job, job])) acknowledged.add(id);
        } catch (error) {
          expect(["HF_ENGINE_UNAVAILABLE", "HF_ENGINE_UNSURE"]).toContain(codeOf(error));
          return;
        }
      }
    };
    const producers = [produce(), produce(), produce()];
    await until(() => acknowledged.size > 60);
    await server.kill();
    isGone = true;
    await Promise.all(producers);
    await server.start();
    await heard.until(() => heard.woken.includes("cancel"));
    const { queued } = await store.stats();
    expect(queued % 3).toBe(0);
    const ended = await store.ended([...acknowledged]);
    expect(ended).toEqual([]);
    await store.close();
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(shared === "")("a store", () => {
  const admin = new Pool({ connectionString: shared, max: 3 });
  const schemas: string[] = [];
  const schemaOf = (): string => {
    const schema = newSchema();
    schemas.push(schema);
    return schema;
  };
  afterAll(async () => {
    for (const schema of schemas) await admin.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await admin.end();
  });
  const open = (schema: string, more: Partial<EngineContext> = {}): Promise<JobStore> =>
    postgres({ connectionString: shared, schema }).open({ ...new Heard().context, ...more });

  test("that several processes open for the first time at once is made once", async () => {
    const schema = schemaOf();
    const stores = await Promise.all([open(schema), open(schema), open(schema), open(schema)]);
    const [first] = stores;
    await first?.enqueue([job]);
    for (const store of stores) expect((await store.stats()).queued).toBe(1);
    await Promise.all(stores.map((store) => store.close()));
  });

  test.each(["holdfast_version", "version"])(
    "whose table %s is newer is refused, and left as it is",
    async (table) => {
      const schema = schemaOf();
      await (await open(schema)).close();
      await admin.query(`UPDATE ${schema}.${table} SET version = 999`);
      const shape = async (): Promise<unknown> =>
        (
          await admin.query(
            `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = $1
           ORDER BY 1, 2`,
            [schema],
          )
        ).rows;
      const before = await shape();
      await expect(open(schema)).rejects.toMatchObject({ code: "HF_ENGINE_SCHEMA" });
      expect(await shape()).toEqual(before);
      expect((await admin.query(`SELECT version FROM ${schema}.${table}`)).rows).toEqual([{ version: 999 }]);
    },
  );

  test("is not opened with a lease that pg-boss cannot keep", async () => {
    await expect(open(schemaOf(), { lease: 9_999 })).rejects.toMatchObject({ code: "HF_ENGINE_CANNOT" });
  });

  test("leaves no connection behind where it cannot be opened", async () => {
    const schema = schemaOf();
    await (await open(schema)).close();
    await admin.query(`UPDATE ${schema}.holdfast_version SET version = 999`);
    const count = async (): Promise<number> =>
      Number(
        (
          await admin.query<{ count: string }>(
            `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`,
            [schema],
          )
        ).rows[0]?.count,
      );
    const engine = postgres({ connectionString: shared, schema, pg: { application_name: schema } });
    await expect(engine.open(new Heard().context)).rejects.toMatchObject({ code: "HF_ENGINE_SCHEMA" });
    while ((await count()) > 0);
    await admin.query(`UPDATE ${schema}.holdfast_version SET version = 1`);
    const store = await engine.open(new Heard().context);
    expect(await count()).toBeGreaterThan(0);
    await store.close();
    while ((await count()) > 0);
  });

  test("takes a pool that does not pipeline, and does not end it", async () => {
    const pool = new Pool({ connectionString: shared, max: 4 });
    const warnings: unknown[] = [];
    const hear = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", hear);
    const store = await postgres({ pool, schema: schemaOf() }).open(new Heard().context);
    await store.enqueue([job, { ...job, key: "k" }, { ...job, concurrencyKey: "c", concurrencyPerKey: 1 }]);
    const { jobs } = await store.claim({ limit: 10, names });
    expect(jobs).toHaveLength(3);
    const written = await store.settle(jobs.map(({ id, token }) => ({ id, token, end: "succeeded" })));
    expect(written).toEqual([true, true, true]);
    await store.close();
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await pool.end();
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });

  test.each([
    ["on a connection of its own, once", false],
    ["on one of a given pool, each time", true],
  ])("asks Postgres to claim in the order of the index: %s", async (_, isGiven) => {
    const said: string[] = [];
    const pg = { stream: () => new Overheard(said) };
    const pool = isGiven ? new Pool({ connectionString: shared, max: 4, ...pg }) : undefined;
    const engine = postgres({
      ...(pool === undefined ? { connectionString: shared, pg } : { pool }),
      schema: schemaOf(),
    });
    const store = await engine.open(new Heard().context);
    for (let round = 0; round < 2; round++) {
      await store.enqueue([job]);
      expect((await store.claim({ limit: 1, names })).jobs).toHaveLength(1);
    }
    await store.close();
    await pool?.end();
    const claiming = said.filter((one) => one.includes("WITH fetched AS"));
    const settings = said.flatMap((one) => one.match(/(?:BEGIN; )?SET (?:LOCAL )?enable_sort = off/g) ?? []);
    if (isGiven) {
      const each = "BEGIN; SET LOCAL enable_sort = off";
      expect(settings).toEqual([each, each]);
    } else {
      expect(settings).toEqual(["SET enable_sort = off"]);
      expect(claiming).toEqual([expect.stringMatching(/SET enable_sort = off.*WITH fetched AS/s)]);
    }
  });

  test("stores jobs through an executor of pg-boss's kind, and a refused batch leaves the transaction usable", async () => {
    const schema = schemaOf();
    const store = await open(schema);
    await store.enqueue([{ ...job, key: "taken" }]);
    const client = await admin.connect();
    const executor = { executeSql: (text: string, values?: unknown[]) => client.query(text, values) };
    await client.query("BEGIN");
    await store.enqueue([job], executor);
    const refused = store.enqueue([job, { ...job, key: "taken", onConflict: "reject" }], executor);
    await expect(refused).rejects.toMatchObject({ code: "HF_JOB_KEY_CONFLICT" });
    await store.enqueue([{ ...job, key: "other" }], executor);
    await client.query("COMMIT");
    client.release();
    expect((await store.stats()).queued).toBe(3);
    await expect(store.enqueue([job], {})).rejects.toMatchObject({ code: "HF_ENGINE_CANNOT" });
    await store.close();
  });

  test("puts right what a supervisor of pg-boss's has done behind its back", async () => {
    const schema = schemaOf();
    const store = await open(schema);
    const [stored] = await store.enqueue([job]);
    const first = await store.claim({ limit: 1, names });
    const boss = new PgBoss({ connectionString: shared, schema, supervise: false, schedule: false });
    await boss.start();
    await boss.fail("work", stored?.id ?? "");
    await boss.stop({ graceful: false });
    const [lease] = first.jobs;
    expect(await store.settle([{ id: lease?.id ?? "", token: lease?.token ?? 0, end: "succeeded" }])).toEqual(
      [false],
    );
    const [again] = (await store.claim({ limit: 1, names })).jobs;
    expect(again?.token).toBeGreaterThan(lease?.token ?? 0);
    const record = await store.get(stored?.id ?? "");
    expect(record).toMatchObject({
      state: "running",
      lapses: 1,
      attempts: [{ end: "lapsed" }, { attempt: 2 }],
    });
    await store.close();
  });

  test("has no row of its own for a job of which there is nothing to say, and one for each of the others", async () => {
    const schema = schemaOf();
    const store = await open(schema);
    await store.enqueue([job, job, job, job]);
    const { jobs } = await store.claim({ limit: 4, names });
    const [plain, saying, noting, logging] = jobs.map(({ id, token }) => ({ id, token }));
    if (plain === undefined || saying === undefined || noting === undefined || logging === undefined)
      throw new Error("not all were claimed");
    const rows = async (table: string): Promise<unknown[]> =>
      (await admin.query<{ id: string }>(`SELECT * FROM ${schema}.${table}`)).rows.map(({ id }) => id);
    expect(await store.get(plain.id)).toMatchObject({ state: "running", worker: "w", attempt: 1 });
    await store.note([{ ...noting, progress: { done: 1, total: 2, at: 3 } }]);
    expect(await rows("holdfast_job")).toEqual([noting.id]);
    const log = [{ at: 1, attempt: 1, text: "done" }];
    const end = "succeeded" as const;
    const all = [
      { ...plain, end },
      { ...saying, end, result: '"said"' },
      { ...noting, end },
      { ...logging, end, log },
    ];
    expect(await store.settle(all)).toEqual([true, true, true, true]);
    expect(new Set(await rows("holdfast_job"))).toEqual(new Set([saying.id, noting.id]));
    const attempts = [{ attempt: 1, worker: "w", end: "succeeded" }];
    expect(await store.get(plain.id)).toMatchObject({ state: "succeeded", attempts });
    expect(await store.get(saying.id)).toMatchObject({ state: "succeeded", attempts, result: "said" });
    expect(await store.get(noting.id)).toMatchObject({ attempts, progress: { done: 1, total: 2 } });
    expect(await store.get(logging.id)).toMatchObject({ state: "succeeded", attempts, log });
    for (const { id } of all) {
      const record = await store.get(id);
      const [attempt] = record?.attempts ?? [];
      expect(record?.startedAt).toBe(attempt?.startedAt);
      expect(record?.endedAt).toBe(attempt?.endedAt);
    }
    // What claims have noted is dropped once nothing of them runs.
    await store.enqueue([job]);
    await store.claim({ limit: 1, names });
    await admin.query(`UPDATE ${schema}.holdfast_claim SET at = at - interval '2 minutes'`);
    await store.sweep(10);
    expect(await rows("holdfast_claim")).toHaveLength(1);
    await store.close();
  });

  test("tells a worker whose job was cancelled, though all that it has to say is that it has succeeded", async () => {
    const schema = schemaOf();
    const store = await open(schema);
    const other = await open(schema);
    await store.enqueue([job, job]);
    const { jobs } = await store.claim({ limit: 2, names });
    const [first, second] = jobs.map(({ id, token }) => ({ id, token, end: "succeeded" as const }));
    if (first === undefined || second === undefined) throw new Error("not all were claimed");
    expect(await other.cancel(first.id, { name: "Error", message: "enough" })).toBe("running");
    expect(await store.renew([first, second])).toEqual(["cancel", "held"]);
    expect(await store.settle([first, second])).toEqual([true, true]);
    for (const { id } of [first, second])
      expect(await store.get(id)).toMatchObject({ state: "succeeded", attempts: [{ end: "succeeded" }] });
    await other.close();
    await store.close();
  });

  test("does not run, list or count what somebody else has sent to its queue, and has pg-boss fail it", async () => {
    const schema = schemaOf();
    const store = await open(schema);
    await store.enqueue([job]);
    const boss = new PgBoss({ connectionString: shared, schema, supervise: false, schedule: false });
    await boss.start();
    const sent = (await boss.send("work", { input: "{}" })) ?? "";
    const { jobs } = await store.claim({ limit: 10, names });
    expect(jobs).toHaveLength(1);
    expect(await boss.findJobs("work", { id: sent })).toMatchObject([{ state: "failed" }]);
    expect(await store.get(sent)).toBeUndefined();
    expect(await store.cancel(sent, { name: "Error", message: "?" })).toBeUndefined();
    expect((await store.list({ limit: 10 })).jobs).toHaveLength(1);
    expect(await store.stats()).toMatchObject({ queued: 0, running: 1, failed: 0 });
    await boss.stop({ graceful: false });
    await store.close();
  });

  test("keeps names and keys of any characters and any length apart", async () => {
    const store = await open(schemaOf());
    const odd = [
      "",
      "a b",
      "a/0020b",
      "é",
      "nul \0",
      "half \ud83d",
      '"quoted"',
      "x".repeat(5_000),
      "x".repeat(5_001),
    ];
    for (const name of odd)
      for (const key of odd) {
        const [one] = await store.enqueue([{ ...job, name, key, concurrencyKey: key, concurrencyPerKey: 1 }]);
        expect(one?.isNew).toBe(true);
      }
    for (const name of odd) {
      if (name === "") continue;
      const { jobs } = await store.claim({ limit: 100, names: [{ name, limit: 100 }] });
      expect(jobs.map((one) => one.key)).toEqual(odd);
      expect(jobs.every((one) => one.name === name)).toBe(true);
    }
    expect((await store.list({ name: "nul \0", key: "half \ud83d", limit: 9 })).jobs).toHaveLength(1);
    await store.close();
  });
});

test("an engine's name has no password, and options that cannot be meant are refused", () => {
  const { name } = postgres("postgres://courier:secret@db.example:5432/courier?password=secret");
  expect(name).toBe("postgres db.example:5432/courier holdfast");
  expect(postgres("host=db password=secret").name).not.toContain("secret");
  // What `process.env` gives where nothing was set.
  for (const nothing of [undefined, {}])
    expect(() => postgres(nothing as PostgresOptions)).toThrow(
      expect.objectContaining({ code: "HF_BAD_OPTION", option: "connectionString" }),
    );
  expect(() => postgres({ connectionString: "postgres://", schema: 'x"; DROP' })).toThrow(
    expect.objectContaining({ code: "HF_BAD_OPTION" }),
  );
  expect(() => postgres({ connectionString: "postgres://", connections: 1 })).toThrow(
    expect.objectContaining({ code: "HF_BAD_OPTION" }),
  );
});
