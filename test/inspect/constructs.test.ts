import { describe, expect, test } from "vitest";
import type { SuspendedFunction } from "../../src/inspect/graph.ts";
import { readDump } from "../../src/inspect/reading.ts";
import { nodes, Program } from "./programs.ts";

/* Each construct once, written by hand; the random programs of truth/ put the same ones into one another. */

/** What a program has written beside one of its awaits. */
interface Said {
  readonly name: string;
  readonly suspension: string;
  readonly awaitedBy: readonly string[];
  readonly url?: string;
  readonly line: number;
  readonly column: number;
}

const isNodes = ({ script }: SuspendedFunction): boolean => script.url?.startsWith("node:") === true;

/** Those of the program who await a function, also through functions of Node's own. */
function awaitersOf({ awaitedBy }: SuspendedFunction): string[] {
  const met = new Set(awaitedBy);
  for (const one of met) if (isNodes(one)) for (const further of one.awaitedBy) met.add(further);
  return [...met].filter((one) => !isNodes(one)).map(({ name }) => name);
}

const lineOf = ({ name, suspension, url, line, column, awaitedBy }: Said): string =>
  `${name || "anonymous"} ${suspension} ${url ?? "no file"}:${line}:${column} <- {${awaitedBy.join(", ")}}`;

function saidOf(one: SuspendedFunction): Said {
  const { name, suspension, script, place } = one;
  return {
    name,
    suspension,
    awaitedBy: awaitersOf(one).toSorted(),
    ...(script.url === undefined ? {} : { url: script.url }),
    line: place?.line ?? 0,
    column: place?.column ?? 0,
  };
}

describe.skipIf(process.platform !== "linux")("every construct", () => {
  test.each(nodes())("waits where its line says, for whom it says, on %s", async (_, node) => {
    const target = await Program.node("constructs/main.mjs", [], {
      node,
      flags: ["--no-warnings", "--unhandled-rejections=strict"],
    });
    const said = JSON.parse(target.output.split("\n")[0] ?? "") as Said[];
    expect(said.length).toBeGreaterThan(60);
    const { functions } = readDump(target.pid).graph;
    const own = functions.filter((one) => !isNodes(one));
    expect(own.map((one) => lineOf(saidOf(one))).toSorted()).toEqual(said.map(lineOf).toSorted());
  });
});
