import type { Command } from "commander";
import type { FindingsAnswer } from "../agent/answers.ts";
import type { Paint } from "../inspect/paint.ts";
import { clean } from "../inspect/words.ts";
import { placeText } from "./task-text.ts";
import { addVerb, tell } from "./verb.ts";
import type { Page } from "./verb.ts";
import { age } from "./words.ts";

type Finding = FindingsAnswer["findings"][number];
type Failure = NonNullable<FindingsAnswer["failures"]>[number];

/** `holdfast findings PROCESS`. */
export function addFindings(program: Command): void {
  const what = "print what the watch holds to be wrong in a process, and what to do about it";
  addVerb(program, "findings", what, { ok: "printed, also where nothing is wrong" }).action(
    (who: string, { json }: { json?: true }) => tell(who, "/findings", {}, json === true, findingLines),
  );
}

/** What is wrong, each in a few lines. */
export function findingLines(
  { at: told, findings, failures = [] }: FindingsAnswer,
  { paint }: Page,
): string[] {
  if (findings.length === 0 && failures.length === 0) return ["nothing is wrong, as far as the watch sees"];
  const each = [
    ...findings.map((one) => linesOf(one, paint)),
    ...failures.toReversed().map((one) => failureLines(one, told, paint)),
  ];
  return each.flatMap((lines, at) => (at === 0 ? lines : ["", ...lines]));
}

function linesOf({ finding, path, task, ms, advice, awaiting = [], stack }: Finding, paint: Paint): string[] {
  return [
    `${paint.warning(finding)} ${paint.name(clean(path))}${task === undefined ? "" : paint.faint(` #${task.id}`)}, for ${age(ms)}`,
    `  ${clean(advice)}`,
    ...awaiting.map((one) => `    awaits at ${placeText(one)}`),
    ...stackLines(stack ?? ""),
  ];
}

function failureLines({ origin, text, count, lastAt }: Failure, at: number, paint: Paint): string[] {
  const [what = "", ...stack] = text.split("\n");
  const often = count === 1 ? "" : `, ${count} times`;
  return [
    `${paint.warning(origin)} ${clean(what)}${often}, ${age(at - lastAt)} ago`,
    `  ${origin === "exception" ? "catch it where it is thrown" : "await the promise, or catch what it rejects with"}`,
    ...stackLines(stack.join("\n")),
  ];
}

function stackLines(stack: string): string[] {
  return stack
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `    ${clean(line.trim())}`);
}
