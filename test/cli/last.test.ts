import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { journalOf, NOBODY } from "../watch/journal/place.ts";
import { holdfast } from "./run.ts";

const AT = Date.UTC(2026, 10, 26, 14, 3, 7);

/** The environment of a user whose journals are these. */
function stateOf(journals: Readonly<Record<string, string>>): Record<string, string> {
  const state = mkdtempSync(join(tmpdir(), "holdfast-last-"));
  onTestFinished(() => rmSync(state, { recursive: true, force: true }));
  const folder = join(state, "holdfast", "journals");
  mkdirSync(join(folder, "archive"), { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(journals)) writeFileSync(join(folder, name), text);
  return { XDG_STATE_HOME: state, TMPDIR: state, TZ: "UTC" };
}

const one = journalOf(
  { startedAt: AT },
  { t: 61_000, p: ["courier/fan-out/deliver"], b: [[17, 0, 1500, 2, 300, "k", [3, 10, "page 3", 100]]] },
);
const two = journalOf({ startedAt: AT - 3_600_000, name: "mailer", pid: NOBODY + 1 }, { t: 1000 });
const state = (): Record<string, string> =>
  stateOf({
    [`courier.${NOBODY}.1.journal`]: `${one}{"t":6200`,
    [`archive/mailer.${NOBODY + 1}.2.journal`]: two,
  });

test("holdfast last prints what ran in the process that died last", async () => {
  expect(await holdfast(["last"], state())).toEqual({
    code: 0,
    stderr: "",
    stdout: [
      `courier (pid ${NOBODY}, Node 24.0.0) died without a word`,
      "  started 2026-11-26 14:03:07, wrote last 2026-11-26 14:04:08 (and half a line)",
      "  1 task ran:",
      "    courier/fan-out/deliver (#17)",
      "        for 1 s, attempt 2 for 300 ms, key k, 3 of 10 done 100 ms before: page 3",
      "",
    ].join("\n"),
  });
});

test("--all prints every one, the newest first; a name or a pid chooses; --json is data", async () => {
  const env = state();
  const all = await holdfast(["last", "--all"], env);
  expect(all.stdout).toMatch(/^courier [^]*\n\nmailer .*\n.*\n {2}no task ran\n$/);
  const mailer = await holdfast(["last", "mailer"], env);
  expect(mailer.stdout).toMatch(/^mailer \(pid \d+, Node 24\.0\.0\) died without a word\n/);
  const { stdout } = await holdfast(["last", String(NOBODY), "--json"], env);
  expect(JSON.parse(stdout)).toMatchObject([
    {
      name: "courier",
      pid: NOBODY,
      lastSweepAt: AT + 61_000,
      isTorn: true,
      running: [{ id: 17, path: "courier/fan-out/deliver", attempt: 2, progress: { done: 3, total: 10 } }],
    },
  ]);
});

test("where nothing has died, it says so, and where it has looked", async () => {
  const env = stateOf({});
  const { code, stdout, stderr } = await holdfast(["last", "courier"], env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^No death of courier is known\.\nLooked in:\n {2}.*holdfast\/journals\n/);
  expect((await holdfast(["last", "--json"], env)).stdout).toBe("[]\n");
});

test("wrong arguments are told, with exit code 2", async () => {
  const { code, stderr } = await holdfast(["last", "--limit", "-3"], stateOf({}));
  expect(code).toBe(2);
  expect(stderr).toContain("It is a number from 0.");
});
