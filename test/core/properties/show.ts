import type { Body, Program, Step } from "./program.ts";

/** A program as text that a person can read: a line a step, bodies and blocks indented. */
export function showProgram(program: Program): string {
  const lines = [`root ${plain(program.root)}`, ...program.script.flatMap((step) => showStep(step))];
  return [...lines, `end ${plain(program.end)}`].join("\n");
}

function showStep(step: Step): string[] {
  const { op, ...rest } = step;
  const bodies: string[] = [];
  const facts: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === "body") bodies.push(...showBody(value as Body));
    else if (key === "items") bodies.push(...(value as Body[]).flatMap(showBody));
    else if (key === "steps") bodies.push(...(value as Step[]).flatMap(showStep));
    else if (key === "step") bodies.push(...showStep(value as Step));
    else facts[key] = value;
  }
  return [`${op} ${plain(facts)}`, ...bodies.map((line) => `  ${line}`)];
}

function showBody({ style, failures, steps, caught, finally: last, ending }: Body): string[] {
  const lines = [
    `${style} body, ${plain(ending)}${failures > 0 ? `, fails ${failures} times` : ""}, ${caught}`,
  ];
  lines.push(...steps.flatMap(showStep).map((line) => `  ${line}`));
  if (last.length > 0) lines.push("  finally", ...last.flatMap(showStep).map((line) => `    ${line}`));
  return lines;
}

function plain(value: object): string {
  const text = JSON.stringify(value);
  return text
    .replaceAll(/"(\w+)":/g, "$1: ")
    .replaceAll(/"/g, "")
    .replaceAll(/,(?=\w)/g, ", ");
}
