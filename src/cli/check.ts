import type { Command } from "commander";
import type { AnswerOf } from "../agent/answers.ts";
import { findingLines } from "./findings.ts";
import { FOUND } from "./exit-codes.ts";
import { addVerb, print } from "./verb.ts";
import type { Page } from "./verb.ts";
import { findAgent } from "./who.ts";
import { megabytes } from "./words.ts";

type CheckAnswer = AnswerOf<"/check">;

/** `holdfast check PROCESS`. */
export function addCheck(program: Command): void {
  const what = "let the watch of a process look now, and print what it holds to be wrong";
  addVerb(program, "check", what, {
    ok: "nothing is wrong",
    codes: ["HF_NO_GC"],
    others: [[FOUND, "something is wrong"]],
  })
    .option("--gc", "have it collect its garbage before: what nothing can settle any more is found at once")
    .action(check);
}

async function check(who: string, { gc, json }: { gc?: true; json?: true }): Promise<void> {
  const agent = await findAgent(who);
  const answer = await agent.ask("/check", { body: { gc: gc === true } });
  const { findings, failures = [] } = answer;
  if (findings.length > 0 || failures.length > 0) process.exitCode = FOUND;
  print(answer, json === true, (page) => checkLines(answer, page));
}

function checkLines(answer: CheckAnswer, page: Page): string[] {
  const { collected } = answer;
  return [
    ...findingLines(answer, page),
    ...(collected === undefined
      ? []
      : [
          "",
          `collected in ${collected.ms} ms: ${megabytes(collected.before)} of heap before, ${megabytes(collected.after)} after`,
        ]),
  ];
}
