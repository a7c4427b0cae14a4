import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { DeadProcess } from "../../../src/watch/journal/reader.ts";
import { holdfast } from "../../cli/run.ts";
import { pidOf, Place } from "../../cli/seen.ts";
import { Child, ownState } from "../process/child.ts";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const REGISTER = `--import=${new URL("../../../dist/process/register.js", import.meta.url).href}`;
const UNHEARD = file("unheard.mjs");

/** What a program did, as whoever started it sees it. */
async function outcomeOf(child: Child): Promise<object> {
  const { code, signal } = await child.ended;
  // Node names the process in its warnings, and lines of its own, which change with how many listen.
  const stderr = child.stderr.replaceAll(/\(node:[^)]*\)/g, "(node)");
  return { code, signal, stdout: child.stdout, stderr };
}

async function deadIn(state: string): Promise<DeadProcess[]> {
  const { stdout } = await holdfast(["last", "--all", "--json"], { XDG_STATE_HOME: state });
  return JSON.parse(stdout) as DeadProcess[];
}

describe("what fails unheard is recorded, and nothing else becomes of it", () => {
  test.each<[mode: string, listeners: string, recorded: string[]]>([
    ["throw", "", ["rejection first"]],
    ["throw", "rejection", ["rejection first", "rejection second"]],
    ["throw", "once", ["rejection first", "rejection second"]],
    ["throw", "removed", ["rejection first"]],
    ["throw", "allRemoved", ["rejection first"]],
    ["throw", "exception", ["rejection first", "rejection second"]],
    ["throw", "rejection exception", ["rejection first", "rejection second"]],
    ["throw", "throws", ["rejection first", "exception from the listener"]],
    ["strict", "", ["rejection first"]],
    ["strict", "exception", ["rejection first", "rejection second"]],
    ["warn", "", ["rejection first", "rejection second"]],
    ["warn", "rejection", ["rejection first", "rejection second"]],
    ["none", "", ["rejection first", "rejection second"]],
    ["none", "rejection", ["rejection first", "rejection second"]],
    ["warn-with-error-code", "rejection", ["rejection first", "rejection second"]],
  ])("--unhandled-rejections=%s, with listeners: %s", async (mode, listeners, recorded) => {
    const state = ownState();
    const command = [`--unhandled-rejections=${mode}`, UNHEARD, ...listeners.split(" ").filter(Boolean)];
    const bare = new Child([process.execPath, ...command]);
    const registered = new Child([process.execPath, REGISTER, ...command], { state });
    expect(await outcomeOf(registered)).toEqual(await outcomeOf(bare));
    const [dead, ...others] = await deadIn(state);
    expect(others).toEqual([]);
    const told = dead?.failures.map(({ origin, text }) => `${origin} ${/^Error: (.*)$/m.exec(text)?.[1]}`);
    expect(told).toEqual(recorded);
    expect(dead).toMatchObject({ name: "holdfast", hasEnded: true, exitCode: (await bare.ended).code });
    for (const { text } of dead?.failures ?? []) expect(text).toContain("unheard.mjs:");
  });
});

/** Runs a program from text, registered, where a test can see it. */
function run(
  place: Place,
  text: string,
  more: { flags?: string[]; state?: string; name?: string } = {},
): Child {
  const { flags = [REGISTER], state, name = "shop" } = more;
  return new Child([process.execPath, ...flags, "--input-type=module", "--eval", text], {
    env: { ...process.env, ...place.env, HOLDFAST_NAME: name },
    ...(state !== undefined && { state }),
  });
}

const LIVES = "setInterval(() => {}, 1e6); console.log('ready')";

describe("a program under holdfast/register", () => {
  test("that has nothing to do ends, and says nothing", async () => {
    const place = new Place();
    const state = ownState();
    const child = run(place, "process.exitCode = 5", { state });
    expect(await outcomeOf(child)).toEqual({ code: 5, signal: null, stdout: "", stderr: "" });
    expect(await deadIn(state)).toEqual([]);
    expect(place.sockets).toEqual([]);
  });

  test("is seen, is told of what it did not hear, and gets SIGTERM when it is to drain", async () => {
    const place = new Place();
    const child = run(
      place,
      `process.on("unhandledRejection", () => console.log("heard"));
       process.on("SIGTERM", () => process.exit(7));
       setInterval(() => {}, 1e6);
       void Promise.reject(new Error("card declined"));`,
    );
    await child.untilSaid(/^heard/m);
    await place.untilSeen(child);
    expect((await place.run("ps")).stdout).toMatch(new RegExp(`^ *${pidOf(child)} .* shop$`, "m"));
    const { stdout } = await place.run("findings", "shop");
    expect(stdout).toMatch(/^rejection Error: card declined, .* ago\n {2}await the promise/);
    expect((await place.run("check", "shop")).code).toBe(19);
    const drained = await place.run("drain", "shop");
    expect(drained).toMatchObject({ code: 0, stderr: "" });
    expect((await child.ended).code).toBe(7);
  });

  test("is watched: what held its event loop is said with its line", async () => {
    const place = new Place();
    const child = run(
      place,
      `function hog() { for (const until = performance.now() + 1500; performance.now() < until; ); }
       setTimeout(() => { hog(); console.log("held"); }, 1500);
       setInterval(() => {}, 1e6);`,
    );
    await child.untilSaid(/^held/m);
    await place.untilSeen(child);
    expect((await place.run("check", "shop")).stdout).toMatch(
      /^blocked shop, for [\d.]+ s\n[^]* {4}at hog \(/,
    );
  });

  test("is told at its next start to have died, if it was killed", async () => {
    const place = new Place();
    const state = ownState();
    const killed = run(place, LIVES, { state });
    await killed.untilSaid(/^ready/m);
    await killed.endBy("SIGKILL");
    const next = run(place, "", { state });
    await next.ended;
    expect(next.records).toMatchObject([{ holdfast: "died", name: "shop", pid: pidOf(killed), running: [] }]);
  });

  test("and under NODE_OPTIONS as well, and with --require, is registered once", async () => {
    const place = new Place();
    const flag = REGISTER.replace("--import=file://", "--require=");
    const child = run(place, LIVES, { flags: [flag, REGISTER] });
    await child.untilSaid(/^ready/m);
    await place.untilSeen(child);
    expect(place.sockets).toEqual([`${pidOf(child)}.sock`]);
    expect(child.stderr).toBe("");
  });

  test("has worker threads, which are not registered", async () => {
    const place = new Place();
    const child = run(
      place,
      `import { Worker } from "node:worker_threads";
       const worker = new Worker("console.log('in the worker')", { eval: true });
       worker.on("exit", () => console.log("ready")); setInterval(() => {}, 1e6);`,
    );
    await child.untilSaid(/^ready/m);
    await place.untilSeen(child);
    expect(place.sockets).toEqual([`${pidOf(child)}.sock`]);
    expect(child.stderr).toBe("");
  });

  test("that calls main() is main()'s from then on", async () => {
    const place = new Place();
    const state = ownState();
    const child = run(
      place,
      `import { main } from "${new URL("../../../dist/index.js", import.meta.url).href}";
       await main("courier", (app) => {
         app.spawn("mail", (task) => task.sleep("1h"));
         setTimeout(() => console.log("ready"), 1500);
       });`,
      { state },
    );
    await child.untilSaid(/^ready/m);
    await place.untilSeen(child);
    expect((await place.run("tree", String(pidOf(child)))).stdout).toMatch(/^courier\/\n└─ mail #/);
    expect((await place.run("ps", "--agents")).stdout).toMatch(/courier$/m);
    await place.run("cancel", "courier", "courier/mail");
    expect(await outcomeOf(child)).toMatchObject({ code: 0, stderr: "" });
    expect(await deadIn(state)).toEqual([]);
  });
});

describe("holdfast run", () => {
  test("runs a command with all of that, under a name", async () => {
    const place = new Place();
    const child = place.command("run", "--name", "shop", "--", process.execPath, "--eval", LIVES);
    await child.untilSaid(/^ready/m);
    const shop = async (): Promise<string | undefined> =>
      /^ *(\d+) .* shop$/m.exec((await place.run("ps", "--agents")).stdout)?.[1];
    while ((await shop()) === undefined);
    expect(Number(await shop())).not.toBe(pidOf(child));
    child.kill("SIGTERM");
    expect(await child.ended).toEqual({ code: null, signal: "SIGTERM" });
  });

  test.each<[exit: number, command: string[], said: RegExp]>([
    [4, ["node", "--eval", "process.exit(4)"], /^$/],
    [0, ["sh", "-c", "exit 0"], /^$/],
    [127, ["no-such-command"], /^holdfast: no-such-command cannot be run: .*ENOENT\n$/],
    [126, [UNHEARD], /^holdfast: .* cannot be run: .*EACCES\n$/],
  ])("ends with %i, as %j does", async (exit, command, said) => {
    const { code, stderr } = await holdfast(["run", "--", ...command], { NODE_OPTIONS: "--no-warnings" });
    expect(stderr).toMatch(said);
    expect(code).toBe(exit);
  });
});
