import type { Command } from "commander";
import { toLimit } from "./arguments.ts";
import { terminalOf } from "./terminal.ts";

interface Flags {
  readonly all?: true;
  readonly limit?: number;
  readonly json?: true;
}

/** `holdfast last`. */
export function addLast(program: Command): void {
  program
    .command("last")
    .description("print what ran in the process that died last (kill -9, out of memory, process.exit)")
    .argument("[name|pid]", "only of this program, by the name that main() was given, or of this process")
    .option("--all", "every process that is still known, the newest first; not the newest alone")
    .option("--limit <n>", "no more tasks than this; 0 for all (default: 20)", toLimit)
    .option("--json", "plain data: a list of processes, with all their tasks")
    .addHelpText("after", afterHelp)
    .action(printLast);
}

async function printLast(who: string | undefined, { all, limit, json }: Flags): Promise<void> {
  // Loaded here: help and mistakes need none of it.
  const { readJournals } = await import("../watch/journal/reader.ts");
  const { toText } = await import("../watch/journal/text.ts");
  const found = readJournals({ ...toWhom(who), archived: true });
  const dead = all === true ? found : found.slice(0, 1);
  const out = terminalOf(process.stdout);
  if (json === true) out.write(`${JSON.stringify(dead, undefined, 2)}\n`);
  else if (dead.length === 0) out.write(`${await nothing(who)}\n`);
  else out.write(`${dead.map((one) => toText(one, { columns: out.columns, limit })).join("\n\n")}\n`);
}

function toWhom(who: string | undefined): { readonly name?: string; readonly pid?: number } {
  if (who === undefined) return {};
  return /^\d+$/.test(who) ? { pid: Number(who) } : { name: who };
}

/** There may be nothing to tell, or we have looked where nothing is. */
async function nothing(who: string | undefined): Promise<string> {
  const { journalFolders } = await import("../watch/journal/folder.ts");
  const whom = who === undefined ? "any program" : who;
  return `No death of ${whom} is known.\nLooked in:\n${journalFolders()
    .map((folder) => `  ${folder}`)
    .join("\n")}`;
}

const afterHelp = `
Exit codes:
  0  printed, or there was nothing to print, which it says
  1  a defect of holdfast
  2  wrong arguments

docs/crash-journal.md tells what is written, where, and what it cannot know.
`;
