import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";

import { toJson } from "../../src/inspect/json.ts";
import { GraphMaker, task } from "./graph-maker.ts";

const schema = JSON.parse(
  readFileSync(new URL("../../src/inspect/dump.schema.json", import.meta.url), "utf8"),
) as object;
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(schema);

/** What is wrong with it: as JSON, for undefined fields are none. */
function errorsOf(value: unknown): unknown {
  return validate(JSON.parse(JSON.stringify(value))) ? [] : validate.errors;
}

describe("a dump as plain data", () => {
  test("says everything there is", () => {
    const graph = new GraphMaker();
    for (let i = 0; i < 2; i++)
      graph.stack(
        ["read", "file:///app/read%20it.mjs:10:3"],
        ["", "/app/h.js:20:5", task("shop/orders/7", i)],
      );
    const json = toJson(graph.dump(["odd"]));
    expect(json).toEqual({
      schema: 1,
      reader: "memory",
      target: { pid: 4242, node: "24.1.0", v8: "13.6.233", arch: "x64", wasIdle: true },
      suspended: 4,
      groups: [
        {
          count: 2,
          task: { path: "shop/orders/7" },
          thread: 0,
          context: 0,
          frames: [
            { name: "read", file: "/app/read it.mjs", line: 10, column: 3 },
            { name: "", file: "/app/h.js", line: 20, column: 5 },
          ],
          waitingOn: { kind: "await" },
        },
      ],
      warnings: ["odd"],
    });
    expect(errorsOf(json)).toEqual([]);
  });

  test("what is not known is null, what is not there is absent", () => {
    const graph = new GraphMaker();
    graph.add("f", "", [], { script: graph.script(undefined), isChanging: true });
    graph.add("g", "/app/g.js:1:1", [], { isGenerator: true, suspension: "yield", isolate: 1, realm: 1 });
    const dump = graph.dump();
    const json = toJson({ ...dump, target: { ...dump.target, node: undefined } });
    expect(json.target.node).toBeNull();
    expect(json.groups.map(({ frames, waitingOn, context }) => ({ frames, waitingOn, context }))).toEqual([
      {
        frames: [{ name: "f", file: null, line: null, column: null, changing: true }],
        waitingOn: { kind: "await" },
        context: 0,
      },
      {
        frames: [{ name: "g", file: "/app/g.js", line: 1, column: 1 }],
        waitingOn: { kind: "yield" },
        context: 0,
      },
    ]);
    expect(json.threads).toEqual([
      { thread: 0, suspended: 1, contexts: 1 },
      { thread: 1, suspended: 1, contexts: 1 },
    ]);
    expect(errorsOf(json)).toEqual([]);
  });

  test("all groups, or those that are asked for; what a limit leaves out is counted", () => {
    const graph = new GraphMaker();
    for (let i = 0; i < 100; i++) graph.add(`f${i}`, "/app/x.js:1:1");
    expect(toJson(graph.dump()).groups).toHaveLength(100);
    expect(toJson(graph.dump())).not.toHaveProperty("leftOut");
    const some = toJson(graph.dump(), { filter: "f1", limit: 3 });
    expect(some.groups.map(({ frames }) => frames[0]?.name)).toEqual(["f1", "f10", "f11"]);
    expect(some).toMatchObject({ suspended: 100, leftOut: { groups: 8, stacks: 8 } });
    expect(errorsOf(some)).toEqual([]);
  });

  test("the schema refuses what is not of its form: a check that passes everything proves nothing", () => {
    const graph = new GraphMaker();
    graph.add("f", "/app/x.js:1:1");
    const json = toJson(graph.dump());
    expect(errorsOf(json)).toEqual([]);
    expect(errorsOf({ ...json, schema: 2 })).not.toEqual([]);
    expect(errorsOf({ ...json, groups: [{ ...json.groups[0], count: 0 }] })).not.toEqual([]);
    expect(errorsOf({ ...json, groups: [{ ...json.groups[0], frames: [{ name: "f" }] }] })).not.toEqual([]);
    expect(errorsOf({ ...json, groups: [{ ...json.groups[0], waitingOn: { kind: "Godot" } }] })).not.toEqual(
      [],
    );
  });
});
