import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import type { Command } from "commander";
import { COMMAND_NOT_FOUND, COMMAND_NOT_RUN, exitCodesText } from "./exit-codes.ts";
import { terminalOf } from "./terminal.ts";

/** What `node --import` is given: beside the command line, in the package. */
const REGISTER = new URL("../process/register.js", import.meta.url).href;

/** Passed on to the program. */
const SIGNALS = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGBREAK"] as const;
/** Those that a terminal sends to all that run in its foreground, the program among them. */
const OF_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

/** `holdfast run -- COMMAND`. */
export function addRun(program: Command): void {
  program
    .command("run")
    .description("run a program with an agent, a watchdog and a journal in every Node that it starts")
    .argument("<command...>", "as in: holdfast run -- node app.js, holdfast run -- npm start")
    .option("--name <name>", "what it goes by; else the name in its package.json")
    .passThroughOptions()
    .addHelpText(
      "after",
      exitCodesText(
        "the program's own",
        [],
        [
          [COMMAND_NOT_RUN, "the command cannot be run"],
          [COMMAND_NOT_FOUND, "there is no such command"],
        ],
      ),
    )
    .action(run);
}

function run([command = "", ...args]: readonly string[], { name }: { name?: string }): Promise<void> {
  const options = [process.env["NODE_OPTIONS"], `--import=${REGISTER}`].filter(Boolean).join(" ");
  const env = { ...process.env, NODE_OPTIONS: options, ...(name !== undefined && { HOLDFAST_NAME: name }) };
  const child = spawn(command, args, { stdio: "inherit", env });
  const stop = passSignals(child);
  return new Promise((resolve) => {
    child.once("error", (error: NodeJS.ErrnoException) => {
      terminalOf(process.stderr).write(`holdfast: ${command} cannot be run: ${error.message}\n`);
      process.exitCode = error.code === "ENOENT" ? COMMAND_NOT_FOUND : COMMAND_NOT_RUN;
      stop();
      resolve();
    });
    child.once("exit", (code, signal) => {
      stop();
      if (signal === null) process.exitCode = code ?? 0;
      else endBy(signal);
      resolve();
    });
  });
}

function passSignals(child: ChildProcess): () => void {
  const isInTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  const listeners = SIGNALS.filter((signal) => signal in constants.signals).map((signal) => {
    const pass = (): void => {
      if (!isInTerminal || !OF_TERMINAL.has(signal)) child.kill(signal);
    };
    process.on(signal, pass);
    return () => process.off(signal, pass);
  });
  return () => {
    for (const stop of listeners) stop();
  };
}

/** As the program ended: whoever started us sees the signal, and not a code that stands for it. */
function endBy(signal: NodeJS.Signals): void {
  process.exitCode = 128 + constants.signals[signal];
  process.kill(process.pid, signal);
}
