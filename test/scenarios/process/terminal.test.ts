import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Child, shellCommandOf } from "./child.ts";

// Not at the beginning of a line: a slow npm draws a spinner there.
const READY = /ready (\d+)\r?$/m;

function has(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** util-linux's `script` gives a command a pseudo-terminal; macOS's takes other options. */
const hasTerminals = process.platform === "linux" && has("script", "--version");
const hasNohup = has("nohup", "--version");
const hasBash = has("bash", "--version");

/**
 * Runs a shell command on a pseudo-terminal of its own; what is written to its input is typed there. The exit code is
 * the program's own only where the command begins with `exec`: else sh may wait beside it, gets the same Ctrl-C, and
 * dies of that when the program has ended, whatever its exit code was (dash, unlike bash): 130.
 */
function onTerminal(command: string, cwd: string = process.cwd()): Child {
  // Without what npm tells its scripts: an npm in there would take our package for its own.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  // `script` runs the command with this, and login shells differ.
  env["SHELL"] = "/bin/sh";
  env["npm_config_progress"] = "false";
  env["npm_config_update_notifier"] = "false";
  return new Child(["script", "-qefc", command, "/dev/null"], { cwd, env });
}

function packageWithStart(story: string): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-terminal-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const manifest = {
    name: "story",
    version: "1.0.0",
    private: true,
    scripts: { start: shellCommandOf(story) },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  return folder;
}

describe.skipIf(!hasTerminals)(
  "on a terminal (skipped without util-linux's `script`: apt install bsdutils)",
  () => {
    test("one Ctrl-C under `npm start` drains, and does not count twice", async () => {
      const child = onTerminal("npm start", packageWithStart("two at once"));
      await child.untilSaid(READY);
      child.process.stdin?.write("\u0003");
      // The program's end, not npm's.
      await child.untilSaid(/demo: SIGINT: ended after .*: 1 succeeded; exit code 0\r$/m);
      expect(child.stdout).toMatch(/finished\r$/m);
    });

    test("the report is for people, and names what would not stop", async () => {
      const child = onTerminal(`exec ${shellCommandOf("a task that ignores cancel")}`);
      await child.untilSaid(READY);
      child.process.stdin?.write("\u0003");
      expect(await child.ended).toMatchObject({ code: 1 });
      const text = child.stdout.replaceAll("\r", "");
      expect(text).toMatch(/demo: SIGINT: 1 task is live: up to 300 ms to finish, then 300 ms to stop/);
      // The core's own line on a failure that nobody awaits stands before it.
      const [report, stubborn] = text.slice(text.lastIndexOf("demo: SIGINT: ended")).split("\n");
      expect(report).toMatch(/^demo: SIGINT: ended after [\d.]+ m?s: 1 would not stop; exit code 1$/);
      expect(stubborn).toMatch(/^ {2}would not stop: demo\/stubborn \(#2\), abandoned, [\d.]+ m?s old$/);
    });

    test("a task that blocks the event loop is shown with its line", async () => {
      const child = onTerminal(`exec ${shellCommandOf("blocked before")}`);
      await child.untilSaid(READY);
      child.process.stdin?.write("\u0003");
      expect(await child.ended).toMatchObject({ code: 1 });
      expect(child.stdout).toMatch(/demo\/spinner holds the event loop\r?\n +at spin .*stories\.ts/);
    });

    test("an uncaught error is shown once, with its stack", async () => {
      const child = onTerminal(`exec ${shellCommandOf("uncaught exception")}`);
      expect(await child.ended).toMatchObject({ code: 1 });
      expect(child.stdout).toMatch(/^demo: uncaught exception in demo\/main\r\n {2}Error: boom\r\n {6}at /m);
      expect(child.stdout.match(/boom/g)).toHaveLength(1);
    });

    test.skipIf(!hasNohup)(
      "SIGHUP is left alone under nohup, where standard input was the terminal",
      async () => {
        const child = onTerminal(`env -u _ nohup ${shellCommandOf("clean drain")} | cat`);
        await survivesHangup(child);
      },
    );
  },
);

describe.skipIf(!hasNohup)("SIGHUP under nohup is left alone", () => {
  test("in a program that a script under nohup started", async () => {
    const child = new Child(["nohup", "sh", "-c", `${shellCommandOf("clean drain")}; exit $?`]);
    await survivesHangup(child);
  });

  test.skipIf(!hasBash)("in a program that a shell started", async () => {
    const child = new Child(["bash", "-c", `nohup ${shellCommandOf("clean drain")}`]);
    await survivesHangup(child);
  });
});

test("SIGHUP without nohup drains", async () => {
  const { _: _shell, ...env } = process.env;
  const child = new Child(["sh", "-c", `exec ${shellCommandOf("clean drain")}`], { env });
  await child.untilSaid(READY);
  expect(await child.endBy("SIGHUP")).toMatchObject({ code: 0 });
  expect(child.report).toMatchObject({ signal: "SIGHUP", succeeded: 1 });
});

async function survivesHangup(child: Child): Promise<void> {
  const [, pid] = await child.untilSaid(READY);
  process.kill(Number(pid), "SIGHUP");
  process.kill(Number(pid), "SIGTERM");
  await child.ended;
  // The first signal is the one that counts: had it been the hangup, the report would say so.
  expect(child.stdout + child.stderr).toMatch(/"signal":"SIGTERM"|demo: SIGTERM: ended/);
  expect(child.stdout).toMatch(/finished/);
}
