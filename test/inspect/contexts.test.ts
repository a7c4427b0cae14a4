import { describe, expect, test } from "vitest";
import { readDump } from "../../src/inspect/reading.ts";
import { fixture, nodes, Program } from "./programs.ts";

describe.skipIf(process.platform !== "linux").each(nodes())("contexts of node:vm, on %s", (_, node) => {
  test("every function is in the one in which it was made, generators and arrows as well", async () => {
    const { pid } = await Program.start(node, [fixture("contexts.cjs")]);
    const realms = new Map<string, Map<number, number>>();
    for (const { script, realm } of readDump(pid).graph.functions) {
      const counts = realms.get(script.url ?? "") ?? new Map<number, number>();
      realms.set(script.url ?? "", counts.set(realm, (counts.get(realm) ?? 0) + 1));
    }
    const here = realms.get("here.js");
    const elsewhere = realms.get("elsewhere.js");
    // Three each of a function, an arrow, a generator, an arrow that walks over another, and that generator.
    expect([...(here?.values() ?? [])]).toEqual([15]);
    expect([...(elsewhere?.values() ?? [])]).toEqual([15, 15]);
    expect([...(here?.keys() ?? [])].some((realm) => elsewhere?.has(realm))).toBe(false);
  });
});
