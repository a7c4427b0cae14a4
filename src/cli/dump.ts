import { type Command, InvalidArgumentError, Option } from "commander";
import { toCount, toLimit } from "./arguments.ts";
import { refusals } from "./exit-codes.ts";
import { terminalOf } from "./terminal.ts";

interface Flags {
  readonly tree?: true;
  readonly filter?: string;
  readonly minCount?: number;
  readonly limit?: number;
  readonly source?: true;
  readonly map: boolean;
  readonly json?: true;
  readonly stop?: true;
}

/** `holdfast dump PID`. */
export function addDump(program: Command): void {
  program
    .command("dump")
    .description("print where every suspended async function of a Node process waits, and who awaits whom")
    .argument("<pid>", "the process: any Node from 20 on, of the same user; nothing runs in it", toPid)
    .addOption(
      new Option(
        "--tree",
        "the logical tree: at the top who is awaited by nobody, below what each waits for",
      ).conflicts("json"),
    )
    .option("--filter <text>", "only what has this text in the name of a function, file or task")
    .option("--min-count <n>", "only groups of at least so many stacks", toCount)
    .option("--limit <n>", "no more groups (or lines of a tree) than this; 0 for all", toLimit)
    .option("--source", "a line of source below each function")
    .option("--no-map", "places in the files that run, not through source maps")
    .option("--json", "plain data, as holdfast/inspect/dump.schema.json describes it")
    .option("--stop", "stop the process (SIGSTOP) while it is read, and let it go on")
    .addHelpText("after", afterHelp)
    .action(dumpProcess);
}

async function dumpProcess(pid: number, flags: Flags): Promise<void> {
  // Loaded here: help and mistakes need none of it.
  const { InspectError, toJson, toText } = await import("../inspect/index.ts");
  // Nobody waits for this process meanwhile: it needs no thread for the reading, and starts sooner without.
  const { readDump, readDumpStopped } = await import("../inspect/reading.ts");
  const out = terminalOf(process.stdout);
  try {
    const dump = flags.stop === true ? await readDumpStopped(pid) : readDump(pid);
    const { filter, minCount, limit, map: maps } = flags;
    const selection = { filter, minCount, limit, maps };
    if (flags.json === true) out.write(`${JSON.stringify(toJson(dump, selection), undefined, 2)}\n`);
    else {
      const { tree, source } = flags;
      const { colours, columns } = out;
      out.write(toText(dump, { ...selection, tree, source, colours, columns, from: process.cwd() }));
    }
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    process.stderr.write(`holdfast: ${error.message} (${error.code})\n`);
    process.exitCode = refusals[error.code];
  }
}

function toPid(text: string): number {
  const pid = Number(text);
  if (/^\d+$/.test(text) && pid > 0 && pid <= 2 ** 31 - 1) return pid;
  throw new InvalidArgumentError(`A pid is a number from 1, as \`pgrep -l node\` prints it.`);
}

const afterHelp = `
Exit codes:
  0  the process was read
  1  a defect of holdfast
  2  wrong arguments
${Object.entries(refusals)
  .map(([code, exit]) => `  ${exit}  ${code}`)
  .join("\n")}

docs/dump.md tells how to read what it prints, and what it costs the process.
`;
