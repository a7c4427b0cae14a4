import type { Command } from "commander";
import type { AnswerOf, AskedPath } from "../agent/answers.ts";
import type { AskOptions } from "../agent/client.ts";
import { paintWith } from "../inspect/paint.ts";
import type { Paint } from "../inspect/paint.ts";
import { exitCodesText } from "./exit-codes.ts";
import type { failures } from "./exit-codes.ts";
import { terminalOf } from "./terminal.ts";
import { addWho, findAgent } from "./who.ts";

/** What a verb prints with. */
export interface Page {
  readonly paint: Paint;
  /** Undefined where it is no terminal. */
  readonly width: number | undefined;
}

/** How long a process may be silent, in ms, that is asked for what it knows at once. */
const PATIENCE = 10_000;

const COMMON: readonly (keyof typeof failures)[] = [
  "HF_NO_SUCH_PROCESS",
  "HF_NO_AGENT",
  "HF_NO_ANSWER",
  "HF_AMBIGUOUS",
  "HF_FOLDER_REFUSED",
  "HF_NO_ROUTE",
];

/** How a verb ends, and why. */
interface VerbEnds {
  readonly ok: string;
  readonly codes?: readonly (keyof typeof failures)[];
  readonly others?: readonly (readonly [exit: number, why: string])[];
}

/** A verb that asks one process, whose argument comes first. */
export function addVerb(
  program: Command,
  name: string,
  description: string,
  { ok, codes = [], others = [] }: VerbEnds,
): Command {
  return addWho(program.command(name).description(description))
    .option("--json", "plain data")
    .addHelpText("after", exitCodesText(ok, [...COMMON, ...codes], others));
}

/** Asks a process, and prints the answer: as it is, or in lines for people. */
export async function tell<P extends AskedPath>(
  who: string,
  path: P,
  query: NonNullable<AskOptions["query"]>,
  json: boolean,
  toLines: (answer: AnswerOf<P>, page: Page) => readonly string[],
): Promise<void> {
  const agent = await findAgent(who);
  const answer = await agent.ask(path, { query, within: PATIENCE });
  print(answer, json, (page) => toLines(answer, page));
}

/** Prints an answer as JSON, or in lines for people. */
export function print(answer: object, json: boolean, toLines: (page: Page) => readonly string[]): void {
  const out = terminalOf(process.stdout);
  if (json) {
    out.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return;
  }
  const lines = toLines({ paint: paintWith(out.colours), width: out.columns });
  out.write(lines.map((line) => `${line}\n`).join(""));
}
