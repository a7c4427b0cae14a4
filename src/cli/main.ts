#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addDump } from "./dump.ts";
import { DEFECT, OK, WRONG_ARGUMENTS } from "./exit-codes.ts";

// `holdfast`: one file a verb. The build puts all of it, its libraries included, into dist/cli/holdfast.cjs.

const program = new Command("holdfast")
  .description("Every background task of a Node program: who owns it, where it waits, how it ended.")
  .version(versionOf(), "--version", "print the version")
  .helpOption("--help", "print this help")
  .helpCommand(false)
  .showSuggestionAfterError()
  .showHelpAfterError("(holdfast --help tells what can be asked)")
  .exitOverride()
  .configureHelp({ showGlobalOptions: false });
addDump(program);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    // What is wrong has been written. Help and version come this way, too.
    process.exitCode = error.exitCode === 0 ? OK : WRONG_ARGUMENTS;
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
