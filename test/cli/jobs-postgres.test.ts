import { afterAll, beforeAll, expect, test } from "vitest";
import { openScope } from "../../src/index.ts";
import { defineJob, openQueue, type JobRecord } from "../../src/jobs/index.ts";
import { postgres } from "../../src/jobs/postgres/index.ts";
import { PostgresServer } from "../jobs/postgres/server.ts";
import { holdfast } from "./run.ts";

const server = new PostgresServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

test("holdfast jobs looks into a Postgres by its URL, retries and cancels, and says when there is none", async () => {
  const mail = defineJob("mail", {
    retry: { attempts: 1 },
    run: (to: string) => {
      if (to === "bad") throw new Error("550 no such user");
      return "250 ok";
    },
  });
  const app = openScope("shop", { onError: () => undefined });
  const engine = postgres({ connectionString: server.url, schema: "shop" });
  const queue = await openQueue({ scope: app, engine, jobs: [mail] });
  const good = await queue.enqueue(mail, "ada");
  const bad = await queue.enqueue(mail, "bad");
  const later = await queue.enqueue(mail, "bob", { delay: "1h" });
  await queue.result(good.id);
  await queue.result(bad.id).catch(() => undefined);
  await app.close();

  const store = [server.url, "--schema", "shop"];
  const { code, stdout } = await holdfast(["jobs", "ls", ...store]);
  expect(code).toBe(0);
  expect(stdout.split("\n")).toHaveLength(5);
  expect((await holdfast(["jobs", "stats", ...store])).stdout).toMatch(/^mail +1 +0 +1 +1 +0 +-$/m);
  expect((await holdfast(["jobs", "dead", ...store])).stdout).toContain("550 no such user");
  expect((await holdfast(["jobs", "retry", ...store, "--dead"])).stdout).toBe(`queued again: ${bad.id}\n`);
  const cancelled = await holdfast(["jobs", "cancel", ...store, later.id, "--json"]);
  expect(JSON.parse(cancelled.stdout) as JobRecord).toMatchObject({ state: "cancelled" });
  // Nobody listens at that port; and the password is nobody's business.
  const none = await holdfast(["jobs", "ls", "postgres://me:secret@127.0.0.1:1/shop"]);
  expect(none).toMatchObject({ code: 23, stdout: "" });
  expect(none.stderr).toContain("HF_ENGINE_UNAVAILABLE");
  expect(none.stderr).not.toContain("secret");
});
