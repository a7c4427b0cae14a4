import { Pool } from "pg";
import { afterAll, describe, expect, inject, test } from "vitest";

import { Database, type Row } from "../../../src/jobs/postgres/database.ts";

const shared = inject("postgresUrl");

describe.skipIf(shared === "")("a connection on which something has failed", () => {
  const pool = new Pool({ connectionString: shared, max: 1, pipeline: true });
  const database = new Database(pool, "engine");
  afterAll(() => pool.end());

  const backend = async (): Promise<number | undefined> => {
    const [row] = await database.query<Row & { pid: number }>("SELECT pg_backend_pid() AS pid");
    return row?.pid;
  };
  const failing = "SELECT 1 / 0";

  test("is dropped where the text may have begun a transaction", async () => {
    const before = await backend();
    await expect(database.run(`BEGIN; ${failing}`)).rejects.toMatchObject({ code: "HF_ENGINE_FAILED" });
    expect(await backend()).not.toBe(before);
  });

  test("goes on where it was a single statement", async () => {
    const before = await backend();
    await expect(database.single((tx) => tx.again(failing, []))).rejects.toMatchObject({
      code: "HF_ENGINE_FAILED",
    });
    expect(await backend()).toBe(before);
  });

  test("goes on where it was a transaction, which is taken back", async () => {
    const before = await backend();
    const own = new Error("not the database's");
    const work = database.transaction(async (tx) => {
      await tx.query("CREATE TABLE left_behind ()");
      throw own;
    });
    await expect(work).rejects.toMatchObject({ cause: own });
    expect(await backend()).toBe(before);
    expect(await database.query("SELECT to_regclass('left_behind') AS it")).toEqual([{ it: null }]);
  });

  test("is dropped where it was lost, of which nobody knows what became", async () => {
    const before = await backend();
    const end = "SELECT pg_terminate_backend(pg_backend_pid())";
    await expect(database.single((tx) => tx.again(end, []))).rejects.toMatchObject({
      code: "HF_ENGINE_UNSURE",
    });
    expect(await backend()).not.toBe(before);
  });
});
