import assert from "node:assert/strict";

import type { CaseDefinition } from "./definition.ts";
import { ending, finish, newJob, putOne, recordOf, take, takeOne } from "./stage.ts";

/** JSON that does not survive being parsed and written again, or that some databases refuse. */
const TEXTS: readonly string[] = [
  "null",
  '""',
  ' { "b" : 1.0 , "10":2,"2":\t3 }\n',
  '{"a":1,"a":2}',
  "[1e2,-0,12345678901234567890,0.10]",
  String.raw`"\u0000 \u0001 \ud800 \u00e9 \/"`,
  '"é e\u0301 💚 \u2028 \u2029 \u007f \uffff العربية"',
  String.raw`"\\ ' \" ; -- $1 ? %s"`,
  '{"__proto__":{"x":1},"constructor":null}',
];

/** Texts come back as they went. */
export const textCases: readonly CaseDefinition[] = [
  {
    name: "inputs, results and values of steps come back to the byte",
    group: "semantics",
    async run(stage) {
      const [a, b] = [await stage.open(), await stage.open()];
      const long = JSON.stringify("ab💚\\\n\u0000".repeat(20_000));
      const texts = [...TEXTS, long];
      assert.ok(long.length > 200_000);
      await a.store.enqueue(texts.map((input) => newJob({ input })));
      const jobs = await take(b.store);
      assert.deepEqual(
        jobs.map(({ input }) => input),
        texts,
        "inputs",
      );
      for (const [at, job] of jobs.entries()) {
        const value = texts[at] ?? "";
        assert.equal(await b.store.recordStep(job, { name: `step ${at}`, value, at }), true);
      }
      await b.store.settle(jobs.map((job) => ending(job, "released")));
      const again = await take(a.store);
      assert.deepEqual(
        again.map(({ steps }) => steps[0]?.value),
        texts,
        "values of steps",
      );
      const ids = again.map(({ id }) => id);
      await a.store.settle(again.map((job, at) => ending(job, "succeeded", { result: texts[at] ?? "" })));
      const ended = new Map((await b.store.ended(ids)).map(({ id, result }) => [id, result]));
      assert.deepEqual(
        ids.map((id) => ended.get(id)),
        texts,
        "results",
      );
      const records = await Promise.all(ids.map((id) => recordOf(b.store, id)));
      const parsed = texts.map((text) => JSON.parse(text) as unknown);
      assert.deepEqual(
        records.map(({ input }) => input),
        parsed,
        "a record has them as what they mean",
      );
      assert.deepEqual(
        records.map(({ result }) => result),
        parsed,
      );
    },
  },
  {
    name: "errors, lines and notes come back as they were, whatever characters they have",
    group: "semantics",
    async run(stage) {
      const { store } = await stage.open();
      const odd = "nul \u0000, half \ud83d, é 💚 ' \" \\ $1 ? \r\n";
      const id = await putOne(store);
      const job = await takeOne(store);
      const error = {
        name: odd,
        message: odd,
        code: odd,
        stack: odd,
        cause: { name: "Error", message: odd },
      };
      const log = [{ at: 1, attempt: 1, text: odd }];
      const progress = { done: 1, note: odd, at: 2 };
      const awaiting = [{ file: odd, line: 1, column: 2, function: odd }];
      await finish(store, job, "failed", { error, log, progress, awaiting });
      const record = await recordOf(store, id);
      assert.deepEqual(record.error, error);
      assert.deepEqual(record.log, log);
      assert.deepEqual(record.progress, progress);
      assert.deepEqual([record.attempts[0]?.error, record.attempts[0]?.awaiting], [error, awaiting]);
      assert.deepEqual(await store.ended([id]), [{ id, state: "failed", error }]);
    },
  },
];
