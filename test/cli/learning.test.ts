import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { failures } from "../../src/cli/exit-codes.ts";
import { can } from "../inspect/programs.ts";
import { holdfast } from "./run.ts";
import { Place } from "./seen.ts";

const VERBS = [
  "ps", "tree", "tasks", "findings", "check", "stats", "events", "top", "dump", "last", "jobs", "run", "cancel",
  "drain", "help", "completion",
]; // prettier-ignore

describe("help", () => {
  test("teaches by what one wants, in 80 columns, and names every verb that looks or acts", async () => {
    const { code, stdout } = await holdfast(["help"]);
    expect(code).toBe(0);
    for (const verb of VERBS.slice(0, 14)) expect(stdout).toMatch(new RegExp(`^ {2}${verb}\\b`, "m"));
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test.each(VERBS)("of %s", async (verb) => {
    const { code, stdout } = await holdfast(["help", verb]);
    expect(stdout).toMatch(new RegExp(`^Usage: holdfast ${verb} `));
    expect(code).toBe(0);
    expect((await holdfast([verb, "--help"])).stdout).toBe(stdout);
  });

  test.each(VERBS.slice(0, 6).concat("cancel", "drain"))(
    "of %s tells its exit codes, and --json",
    async (verb) => {
      const { stdout } = await holdfast(["help", verb]);
      expect(stdout).toContain("\nExit codes:\n  0  ");
      expect(stdout).toContain("--json");
    },
  );
});

test("docs/cli.md tells every exit code, and every verb", () => {
  const page = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
  for (const [code, exit] of Object.entries(failures))
    expect(page).toMatch(new RegExp(`^\\| ${exit} +\\| \`${code}\` +\\|`, "m"));
  for (const verb of VERBS) expect(page).toMatch(new RegExp(`^\\| .*\`${verb}\\b`, "m"));
});

describe("mistakes end with 2, a clear word, and no stack trace", () => {
  test.each<[string[], RegExp]>([
    [["tre", "1"], /unknown command 'tre'[^]*Did you mean tree\?/],
    [["tree"], /missing required argument 'process'/],
    [["tree", "1", "2"], /too many arguments/],
    [["tree", "1", "--each", "0"], /It is a number from 1/],
    [["tree", "1", "--eech", "1"], /Did you mean --each\?/],
    [["tasks", "1", "--state", "dead"], /Allowed choices are waiting, running/],
    [["tasks", "1", "mail"], /The id of a task is a number/],
    [["cancel", "1"], /missing required argument 'task'/],
    [["help", "me"], /there is no verb 'me'; there are ps, tree/],
    [["completion", "csh"], /Allowed choices are bash, zsh, fish/],
  ])("%j", async (args, word) => {
    const { code, stdout, stderr } = await holdfast(args);
    expect(stderr).toMatch(word);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("a type of event that there is not is told by the process", async () => {
    const place = new Place();
    await place.start("courier", "talks");
    const { code, stderr } = await place.run("events", "courier", "--type", "begin");
    expect(stderr).toMatch(/^holdfast: type is "begin": expected spawn, start, .* \(HF_BAD_REQUEST\)\n$/);
    expect(code).toBe(2);
  });
});

describe("completion", () => {
  /** What bash would offer for a line. */
  async function offered(place: Place, ...words: readonly string[]): Promise<string[]> {
    const { stdout, stderr } = await place.shell(`
      holdfast() { "$NODE" ${JSON.stringify("$0").slice(1, -1)} "$@"; }
      source <("$NODE" "$0" completion bash)
      COMP_WORDS=(holdfast ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
      _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"
    `);
    expect(stderr).toBe("");
    return stdout.split("\n").filter((word) => word !== "");
  }

  test.skipIf(!can("bash", "--version"))("bash: verbs, options, values, processes", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    expect(await offered(place, "t")).toEqual(["tree", "tasks", "top"]);
    expect(await offered(place, "tree", "--e")).toEqual(["--each"]);
    expect(await offered(place, "tasks", "courier", "--state", "s")).toEqual(["succeeded"]);
    expect(await offered(place, "completion", "z")).toEqual(["zsh"]);
    expect(await offered(place, "tree", String(child.process.pid))).toEqual([String(child.process.pid)]);
  });

  test.each(["bash", "zsh", "fish"])(
    "%s: every verb, and a script that the shell can read",
    async (shell) => {
      const { code, stdout } = await holdfast(["completion", shell]);
      expect(code).toBe(0);
      for (const verb of VERBS) expect(stdout).toContain(verb);
      if (!can(shell, "--version")) return;
      const check = await new Place().shell(`"$NODE" "$0" completion ${shell} | ${shell} -n /dev/stdin`);
      expect(check).toEqual({ code: 0, stdout: "", stderr: "" });
    },
  );
});
