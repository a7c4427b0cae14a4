#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { clean } from "../inspect/words.ts";
import { addCancel } from "./cancel.ts";
import { addCheck } from "./check.ts";
import { addCompletion } from "./completion.ts";
import { addDrain } from "./drain.ts";
import { addDump } from "./dump.ts";
import { addEvents } from "./events.ts";
import { DEFECT, exitCodeOf, OK, WRONG_ARGUMENTS } from "./exit-codes.ts";
import { addFindings } from "./findings.ts";
import { addHelp } from "./help.ts";
import { addJobs } from "./jobs.ts";
import { addLast } from "./last.ts";
import { addPs } from "./ps.ts";
import { addRun } from "./run.ts";
import { addStats } from "./stats.ts";
import { addTasks } from "./tasks.ts";
import { addTop } from "./top/top.ts";
import { addTree } from "./tree.ts";

// `holdfast`: one file a verb. The build puts all of it, its libraries included, into dist/cli/holdfast.cjs.

const program = new Command("holdfast")
  .description("Every background task of a Node program: who owns it, where it waits, how it ended.")
  .version(versionOf(), "--version", "print the version")
  .helpOption("--help", "print this help")
  .helpCommand(false)
  .showSuggestionAfterError()
  .showHelpAfterError("(holdfast --help tells what can be asked)")
  .enablePositionalOptions()
  .exitOverride()
  .configureHelp({ showGlobalOptions: false });
program.commandsGroup("Look:");
addPs(program);
addTree(program);
addTasks(program);
addFindings(program);
addCheck(program);
addStats(program);
addEvents(program);
addTop(program);
addDump(program);
addLast(program);
addJobs(program);
program.commandsGroup("Act:");
addRun(program);
addCancel(program);
addDrain(program);
program.commandsGroup("Learn:");
addHelp(program);
addCompletion(program);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    // What is wrong has been written. Help and version come this way, too.
    process.exitCode = error.exitCode === 0 ? OK : WRONG_ARGUMENTS;
    return;
  }
  const exitCode = exitCodeOf(error);
  if (exitCode !== undefined) {
    const { message, code } = error as { message: string; code: string };
    // A list of what it may be comes below. Part of it may be what a process calls its things.
    const [what = "", ...more] = message.split("\n").map(clean);
    process.stderr.write([`holdfast: ${what} (${code})`, ...more, ""].join("\n"));
    process.exitCode = exitCode;
    return;
  }
  process.exitCode = DEFECT;
  process.stderr.write(
    `holdfast: this is a defect of holdfast, please report it: ${String((error as Error)?.stack)}\n`,
  );
});

function versionOf(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
