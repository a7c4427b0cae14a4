import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";

import type { DumpJson } from "../../src/inspect/json.ts";
import { nodes, Program } from "../inspect/programs.ts";
import { holdfast } from "./run.ts";

const waiting = fileURLToPath(new URL("fixtures/waiting.mjs", import.meta.url));
const validate = new Ajv2020({ allowUnionTypes: true }).compile(
  JSON.parse(readFileSync(new URL("../../dist/inspect/dump.schema.json", import.meta.url), "utf8")) as object,
);
/** A pid that nothing has: above what the kernel gives. */
const NOBODY = "4194305";

describe.each(nodes())("holdfast dump of a program on %s", (_, node) => {
  test("text, tree and JSON name the line of every await, of all threads and contexts", async () => {
    const program = await Program.start(node, [waiting]);
    const pid = String(program.pid);

    const { code, stdout, stderr } = await holdfast(["dump", pid]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /main thread, context 1 of 2\n\n3 stacks\n {4}read +.*waiting\.mjs:10:3\n {8}await forever\(\);\n {4}handle +.*waiting\.mjs:13:3\n/,
    );
    expect(stdout).toMatch(/ {4}read .*:10:3\n.*\n {4}ticks\* .*:17:3\n {4}consume .*:20:20\n/);
    expect(stdout).toMatch(/context 2 of 2\n\n1 stack\n {4}inContext +evalmachine\.<anonymous>:1:31\n/);
    expect(stdout).toMatch(/worker thread 1\n\n2 stacks\n {4}read .*:10:3\n/);

    const tree = await holdfast(["dump", "--tree", pid]);
    expect(tree.stdout).toMatch(/3 × handle .*waiting\.mjs:13:3\n└ 3 × read .*waiting\.mjs:10:3\n/);

    const json = JSON.parse((await holdfast(["dump", "--json", pid])).stdout) as DumpJson;
    expect(validate(json) ? [] : validate.errors).toEqual([]);
    expect(json.target.pid).toBe(program.pid);
    expect(json.threads).toMatchObject([
      { thread: 0, contexts: 2 },
      { thread: 1, contexts: 1 },
    ]);
    expect(json.groups[0]).toMatchObject({
      count: 3,
      thread: 0,
      frames: [
        { name: "read", file: waiting, line: 10, column: 3 },
        { name: "handle", file: waiting, line: 13, column: 3 },
      ],
      waitingOn: { kind: "await" },
    });
  });
});

test("100,000 functions are printed as a few groups", async () => {
  const program = await Program.start(process.execPath, [waiting, "50000"]);
  const { code, stdout } = await holdfast(["dump", String(program.pid)]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/\n100,0\d\d suspended async functions in \d+ different stacks\n/);
  expect(stdout).toContain("\n50,000 stacks\n    read ");
  expect(stdout.split("\n").length).toBeLessThan(60);
});

test.each(nodes())(
  "the top level of a module is named so on %s; Node's own around it are folded",
  async (_, node) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
    try {
      const file = join(folder, "top.mjs");
      writeFileSync(
        file,
        `console.log("ready");\nsetInterval(() => {}, 1e6);\nawait new Promise((r) => (globalThis.r = r));\n`,
      );
      const program = await Program.start(node, [file]);
      const { stdout } = await holdfast(["dump", String(program.pid)]);
      expect(stdout).toMatch(/ {4}\(top level\) {2}.*top\.mjs:3:1\n.*\n {4}\d functions of Node's own\n/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

describe("options", () => {
  test("--filter, --min-count, --limit, --source, --no-map", async () => {
    const program = await Program.start(process.execPath, [waiting]);
    const dump = async (...args: string[]): Promise<string> =>
      (await holdfast(["dump", String(program.pid), ...args])).stdout;
    expect(await dump("--filter", "INCONTEXT")).not.toContain("handle");
    expect(await dump("--filter", "nothing of that name")).toContain("no stack is as it was asked for");
    expect(await dump("--min-count", "3")).not.toContain("consume");
    expect(await dump("--limit", "1")).toMatch(/not shown: \d groups of \d stacks/);
    expect(await dump("--source", "--min-count", "3")).toContain("        await read(id);\n");
    expect(await dump("--no-map")).toContain("waiting.mjs:10:3");
    const json = JSON.parse(await dump("--json", "--min-count", "3")) as DumpJson;
    expect(json.groups).toHaveLength(1);
  });

  test("no colours where it is no terminal", async () => {
    const program = await Program.start(process.execPath, [waiting]);
    const { stdout } = await holdfast(["dump", String(program.pid)]);
    expect(stdout).not.toContain("\u001B");
  });

  test("who reads only the beginning, as head does, breaks nothing", async () => {
    const program = await Program.start(process.execPath, [waiting]);
    const { execFile } = await import("node:child_process");
    const cli = fileURLToPath(new URL("../../dist/cli/holdfast.cjs", import.meta.url));
    const command = `"$0" "$1" dump --json ${program.pid} 2>&1 | true; echo "\${PIPESTATUS[0]}"`;
    const out = await new Promise<string>((resolve) => {
      execFile("bash", ["-c", command, process.execPath, cli], (_, stdout) => resolve(stdout));
    });
    expect(out).toBe("0\n");
  });

  test("--version and --help", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(await holdfast(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = await holdfast(["dump", "--help"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    for (const option of [
      "--tree",
      "--filter",
      "--min-count",
      "--limit",
      "--source",
      "--no-map",
      "--json",
      "--stop",
    ])
      expect(help.stdout).toContain(option);
  });
});

describe("what cannot be done ends with a code of its own, a clear word, and no stack trace", () => {
  test.each<[string[], RegExp]>([
    [[], /Usage: holdfast/],
    [["dmp"], /unknown command 'dmp'[^]*Did you mean dump\?/],
    [["dump"], /missing required argument 'pid'/],
    [["dump", "node"], /'node' is invalid for argument 'pid'\. A pid is a number from 1/],
    [["dump", "0"], /A pid is a number from 1/],
    [["dump", "-1"], /A pid is a number from 1/],
    [["dump", "1.5"], /A pid is a number from 1/],
    [["dump", "99999999999"], /A pid is a number from 1/],
    [["dump", "1", "2"], /too many arguments/],
    [["dump", "1", "--tre"], /unknown option '--tre'[^]*Did you mean --tree\?/],
    [["dump", "1", "--min-count", "0"], /'0' is invalid[^]*It is a number from 1/],
    [["dump", "1", "--min-count", "few"], /'few' is invalid[^]*It is a number from 1/],
    [["dump", "1", "--limit", "-3"], /It is a number from 0/],
    [["dump", "1", "--filter"], /argument missing/],
    [["dump", "1", "--tree", "--json"], /'--tree' cannot be used with option '--json'/],
  ])("%j: 2", async (args, word) => {
    const { code, stdout, stderr } = await holdfast(args);
    expect(stderr).toMatch(word);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("no such process: 3", async () => {
    expect(await holdfast(["dump", NOBODY])).toEqual({
      code: 3,
      stdout: "",
      stderr: `holdfast: no process has the pid ${NOBODY} (HF_NO_SUCH_PROCESS)\n`,
    });
  });

  test("not Node: 5", async () => {
    const program = await Program.start("sh", ["-c", "echo ready; exec sleep 1000"]);
    const { code, stdout, stderr } = await holdfast(["dump", String(program.pid)]);
    expect(stderr).toMatch(/^holdfast: process \d+ is sleep, and no Node.* \(HF_NOT_NODE\)\n$/);
    expect({ code, stdout }).toEqual({ code: 5, stdout: "" });
  });
});
