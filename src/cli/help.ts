import type { Command } from "commander";
import { paintWith } from "../inspect/paint.ts";
import type { Paint } from "../inspect/paint.ts";
import { terminalOf } from "./terminal.ts";

/** `holdfast help [VERB]`. */
export function addHelp(program: Command): void {
  program
    .command("help")
    .description("tell which verb to use for what; or all about one verb")
    .argument("[verb]", "the one to tell about")
    .action((verb: string | undefined) => {
      const out = terminalOf(process.stdout);
      if (verb === undefined) {
        out.write(`${lesson(paintWith(out.colours)).join("\n")}\n`);
        return;
      }
      const command = program.commands.find((one) => one.name() === verb);
      if (command === undefined) {
        const verbs = program.commands.map((one) => one.name()).join(", ");
        program.error(`error: there is no verb '${verb}'; there are ${verbs}`);
      }
      command.outputHelp();
    });
}

/** What one wants, and the verb for it. */
const WANTS: readonly (readonly [want: string, verbs: readonly (readonly [verb: string, does: string])[]])[] =
  [
    [
      "What runs here at all?",
      [
        ["ps", "all your Node processes, and how they do"],
        ["tree courier", "what lives in one, by owner"],
        ["top courier", "live: sort, filter, look, cancel"],
        ["tasks courier --state failed", "what has failed lately"],
      ],
    ],
    [
      "It hangs. Where?",
      [
        ["findings courier", "what the watch holds to be wrong"],
        ["check courier --gc", "the same, looked at now; finds what is lost"],
        ["dump 4711", "the line of every await; any Node, on Linux"],
        ["dump 4711 --filter deliver", "only what has to do with deliver"],
      ],
    ],
    [
      "It is slow, or fails again and again.",
      [
        ["stats courier", "by name: how many, how they ended, how long"],
        ["events courier --type retry,end", "what happens, as it happens"],
        ["tasks courier 4102", "all that is known of one task"],
      ],
    ],
    [
      "It died. What was it doing?",
      [
        ["last courier", "what ran when it was killed"],
        ["run -- node app.js", "any program: seen, watched, told of later"],
      ],
    ],
    [
      "What became of the work?",
      [
        ["jobs stats courier.db", "by name: what waits, runs, has ended"],
        ["jobs dead courier.db", "what has failed for good, and why"],
        ["jobs retry courier.db 184", "one of them once more"],
      ],
    ],
    [
      "Make it stop.",
      [
        ["cancel courier 4102", "one task; waits until it has cleaned up"],
        ["cancel courier courier/mail --all", "all tasks at a path"],
        ["drain courier", "the process: finish what has begun, and end"],
      ],
    ],
  ];

function lesson(paint: Paint): string[] {
  const width = Math.max(...WANTS.flatMap(([, verbs]) => verbs.map(([verb]) => verb.length)));
  return [
    ...WANTS.flatMap(([want, verbs]) => [
      paint.heading(want),
      ...verbs.map(([verb, does]) => `  ${paint.name(verb.padEnd(width))}  ${does}`),
      "",
    ]),
    "Each after holdfast, as in: holdfast ps. A process is said by its pid, or by the",
    "name that it gave to main(), where only one goes by it. Every verb that looks or",
    "acts takes --json, and holdfast help VERB tells all of it, exit codes too. What",
    "can be asked are processes under main() or run, of your user; dump reads any.",
  ];
}
