import { describe, expect, test } from "vitest";
import { openScope } from "../../src/core/index.ts";
import type { TaskInfo } from "../../src/core/index.ts";
import { Account } from "../../src/process/account.ts";
import { toReport } from "../../src/process/report.ts";
import type { ReportParts } from "../../src/process/report.ts";
import { toJson, toText } from "../../src/process/words.ts";

const parts: ReportParts = {
  name: "courier",
  cause: "signal",
  signal: "SIGTERM",
  startedAt: 0,
  exitCode: 1,
  succeeded: 2,
  failed: 0,
  cancelled: 1,
  lost: 0,
  abandoned: [],
  errors: [],
};

function task(id: number, more: Partial<TaskInfo> = {}): TaskInfo {
  return {
    id,
    name: "mail",
    path: "courier/mail",
    state: "abandoned",
    attempt: 1,
    createdAt: 0,
    attributes: {},
    children: 0,
    ...more,
  };
}

describe("the report", () => {
  test("is one line of JSON, with the documented fields in their order", () => {
    const report = toReport({ ...parts, abandoned: [task(3, { key: "mail:7", attributes: { user: 7 } })] });
    const line = toJson(report);
    expect(line).not.toContain("\n");
    expect(Object.keys(JSON.parse(line) as object)).toEqual([
      "holdfast",
      "name",
      "pid",
      "cause",
      "ms",
      "exitCode",
      "signal",
      "succeeded",
      "failed",
      "cancelled",
      "lost",
      "abandoned",
      "errors",
    ]);
    expect(report.abandoned).toEqual([
      {
        path: "courier/mail",
        id: 3,
        state: "abandoned",
        age: expect.any(Number) as number,
        attempt: 1,
        key: "mail:7",
        attributes: { user: 7 },
      },
    ]);
  });

  test("says what it left out", () => {
    const report = toReport({
      ...parts,
      abandoned: Array.from({ length: 150 }, (_, id) => task(id)),
      errors: Array.from({ length: 30 }, (_, i) => ({ name: "Error", message: String(i) })),
    });
    expect(report.abandoned).toHaveLength(100);
    expect(report.errors).toHaveLength(20);
    expect(report.omitted).toEqual({ abandoned: 50, errors: 10 });
    expect(toText(report, new Set())).toMatch(/150 would not stop.*\n(.*\n){20} {2}… and 130 more/);
  });

  test("counts among that what was too much to keep", async () => {
    const app = openScope("app");
    const account = new Account("app", app);
    for (let i = 0; i < 1500; i++) account.addFailure(new Error(String(i)));
    const report = account.report(1, []);
    expect(report.errors).toHaveLength(20);
    expect(report.omitted).toEqual({ abandoned: 0, errors: 1480 });
    await app.close();
  });

  test("survives attributes that do not go into JSON", () => {
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    const report = toReport({ ...parts, abandoned: [task(1, { attributes: loop })] });
    expect(JSON.parse(toJson(report))).toMatchObject({
      abandoned: [{ path: "courier/mail", attributes: "[not JSON]" }],
    });
  });

  test("for people: the cause, the counts, causes of errors, and no error twice", () => {
    const shown = { name: "Error", message: "seen before" };
    const error = { name: "Error", message: "no database", cause: { name: "Error", message: "refused" } };
    const text = toText(toReport({ ...parts, errors: [shown, error] }), new Set([shown]));
    expect(text.replace(/after .*?:/, "after …:")).toBe(
      [
        "courier: SIGTERM: ended after …: 2 succeeded, 1 cancelled; exit code 1",
        "  Error: no database",
        "    caused by Error: refused",
      ].join("\n"),
    );
  });
});

test("a live task of a real scope fits in", async () => {
  const scope = openScope("courier");
  const sleeping = scope.spawn("sleeping", (own) => own.sleep("1h"));
  const report = toReport({ ...parts, abandoned: [...scope.tasks()] });
  expect(report.abandoned).toMatchObject([{ path: "courier/sleeping", id: sleeping.id }]);
  await scope.close();
});

describe("the lines at which tasks wait", () => {
  const lines = [
    {
      id: 3,
      path: "courier/mail",
      awaiting: [
        { file: "/app/mail.js", line: 20, column: 5, function: "send" },
        { file: "/app/mail.js", line: 31, column: 7, function: "" },
      ],
    },
  ];

  test("are in the JSON and in the text of the task whose they are", () => {
    const report = toReport({ ...parts, lines, abandoned: [task(3), task(4)] });
    expect(report.abandoned.map(({ awaiting }) => awaiting)).toEqual([lines[0]?.awaiting, undefined]);
    expect(JSON.parse(toJson(report))).not.toHaveProperty("lines");
    expect(toText(report, new Set())).toContain(
      " old\n    awaits at send (/app/mail.js:20:5)\n    awaits at /app/mail.js:31:7\n",
    );
  });

  test("are nobody's where only the id is the same: another copy of holdfast counts for itself", () => {
    const report = toReport({ ...parts, lines, abandoned: [task(3, { path: "other/mail" })] });
    expect(report.abandoned[0]).not.toHaveProperty("awaiting");
  });
});
