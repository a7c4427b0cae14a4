import type { Command } from "commander";
import type { FindingsAnswer } from "../agent/answers.ts";
import { clean } from "../inspect/words.ts";
import { addVerb, tell } from "./verb.ts";
import type { Page } from "./verb.ts";
import { age } from "./words.ts";

/** `holdfast findings PROCESS`. */
export function addFindings(program: Command): void {
  const what = "print what the watch holds to be wrong in a process, and what to do about it";
  addVerb(program, "findings", what, { ok: "printed, also where nothing is wrong" }).action(
    (who: string, { json }: { json?: true }) => tell(who, "/findings", {}, json === true, findingLines),
  );
}

/** A finding in a few lines. */
function findingLines({ findings }: FindingsAnswer, { paint }: Page): string[] {
  if (findings.length === 0) return ["nothing is wrong, as far as the watch sees"];
  return findings.flatMap(({ finding, path, task, ms, advice, awaiting = [], stack }, at) => [
    ...(at === 0 ? [] : [""]),
    `${paint.warning(finding)} ${paint.name(clean(path))}${task === undefined ? "" : paint.faint(` #${task.id}`)}, for ${age(ms)}`,
    `  ${clean(advice)}`,
    ...awaiting.map(
      (one) =>
        `    awaits at ${one.function === "" ? "" : `${clean(one.function)} `}${clean(one.file)}:${one.line}:${one.column}`,
    ),
    ...(stack ?? "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => `    ${clean(line.trim())}`),
  ]);
}
