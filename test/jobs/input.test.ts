import * as valibot from "valibot";
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { defineJob, JobInputError } from "../../src/jobs/index.ts";
import { stage } from "./stage.ts";

test("inputs are checked by any Standard Schema when they are enqueued, and nothing wrong is stored", async () => {
  const { open } = stage();
  const byZod = defineJob("by-zod", {
    input: z.object({ tenant: z.object({ id: z.number() }), at: z.coerce.date() }),
    run: (input) => {
      expectTypeOf(input).toEqualTypeOf<{ tenant: { id: number }; at: Date }>();
      return input.at.getTime() + input.tenant.id;
    },
  });
  const byValibot = defineJob("by-valibot", {
    input: valibot.object({ name: valibot.pipe(valibot.string(), valibot.minLength(2)) }),
    run: (input) => input.name,
  });
  const queue = await open([byZod, byValibot]);
  // @ts-expect-error: no number
  const wrong = queue.enqueue(byZod, { tenant: { id: "seven" }, at: "2026-01-01" });
  await expect(wrong).rejects.toThrow(JobInputError);
  await expect(wrong).rejects.toMatchObject({
    code: "HF_JOB_INPUT",
    issues: [expect.stringMatching(/^tenant\.id: /)],
  });
  await expect(queue.enqueue(byValibot, { name: "x" })).rejects.toMatchObject({
    issues: [expect.stringMatching(/^name: /)],
  });
  expect((await queue.list()).jobs).toEqual([]);
  // The function gets what the schema makes of what was stored.
  const { id } = await queue.enqueue(byZod, { tenant: { id: 7 }, at: new Date(1000) });
  expect(await queue.result(id)).toBe(1007);
  expect((await queue.get(id))?.input).toEqual({ tenant: { id: 7 }, at: "1970-01-01T00:00:01.000Z" });
});

test("what JSON cannot carry is found at enqueue, not in the night", async () => {
  const { open } = stage();
  const dated = defineJob("dated", { input: z.object({ at: z.date() }), run: () => undefined });
  const plain = defineJob("plain", { run: (input: unknown) => input });
  const queue = await open([dated, plain]);
  await expect(queue.enqueue(dated, { at: new Date() })).rejects.toThrow(JobInputError);
  await expect(queue.enqueue(plain, 1n)).rejects.toThrow(JobInputError);
  await expect(queue.enqueue(plain, "x".repeat(1_048_576))).rejects.toThrow(
    /1048578 characters, 1048576 are allowed/,
  );
});

test("a stored input that no longer fits goes to the dead letter with that reason, and is not run", async () => {
  const { open, clock } = stage();
  let runs = 0;
  const old = defineJob("move", { input: z.object({ to: z.string() }), run: () => undefined });
  const young = defineJob("move", {
    input: z.object({ target: z.string() }),
    retry: { attempts: 9 },
    run: () => void runs++,
  });
  const before = await open([old], { work: false });
  const { id } = await before.enqueue(old, { to: "north" });
  const after = await open([young]);
  await clock.settle();
  expect(runs).toBe(0);
  expect(await after.get(id)).toMatchObject({ state: "failed", attempt: 1, error: { code: "HF_JOB_INPUT" } });
});

test.each([
  [{ retry: { attempts: 0 } }, "retry.attempts"],
  [{ timeout: "soon" }, "timeout"],
  [{ priority: 0.5 }, "priority"],
  [{ concurrency: 0 }, "concurrency"],
  [{ rate: { count: 0, per: "1s" } }, "rate.count"],
  [{ retention: { failed: "never" } }, "retention.failed"],
  [{ input: {} }, "input"],
  [{ run: 1 }, "run"],
])("a definition with %o is refused, by the name of the option", (options, option) => {
  const wrong = { run: () => undefined, ...options } as never;
  expect(() => defineJob("x", wrong)).toThrow(expect.objectContaining({ code: "HF_BAD_OPTION", option }));
});
