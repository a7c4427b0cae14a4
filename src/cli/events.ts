import type { Command } from "commander";
import type { StreamMessage } from "../agent/answers.ts";
import { paintWith } from "../inspect/paint.ts";
import type { Paint } from "../inspect/paint.ts";
import { clean, count } from "../inspect/words.ts";
import { terminalOf } from "./terminal.ts";
import { addVerb } from "./verb.ts";
import { findAgent } from "./who.ts";
import { timeOfDay } from "./words.ts";

interface Flags {
  readonly type?: string;
  readonly path?: string;
  readonly json?: true;
}

/** `holdfast events PROCESS`. */
export function addEvents(program: Command): void {
  addVerb(program, "events", "print what happens in a process, as it happens, until it ends", {
    ok: "the process has ended, or nobody reads any more",
  })
    .option(
      "--type <types>",
      "only these, with commas between them: spawn, start, retry, restart, cancel, end, late, finding, state",
    )
    .option("--path <path>", "only what happens at paths that begin so")
    .action(follow);
}

async function follow(who: string, { type, path, json }: Flags): Promise<void> {
  const agent = await findAgent(who);
  const out = terminalOf(process.stdout);
  const stop = new AbortController();
  // Who reads from a pipe may stop in the middle, as head does.
  process.stdout.once("error", () => stop.abort());
  const paint = paintWith(out.colours);
  for await (const message of agent.follow({ type, path }, stop.signal)) {
    if (json === true) out.write(`${JSON.stringify(message.data)}\n`);
    else out.write(lineOf(message, paint));
  }
}

const BAD = new Set(["retry", "restart", "cancel", "late", "finding"]);

function lineOf(message: StreamMessage, paint: Paint): string {
  if (message.event === "hello") {
    const { name, pid, at } = message.data;
    return paint.faint(`${timeOfDay(at)}  process ${pid}, ${clean(name)}: listening; Ctrl-C ends this\n`);
  }
  if (message.event === "missed")
    return paint.warning(
      `              ${count(message.data.missed)} events came faster than they were read\n`,
    );
  const { at, type, text } = message.data;
  const kind = type.padEnd(8);
  const isBad = BAD.has(type) || ("task" in message.data && message.data.task?.state === "failed");
  return `${paint.faint(timeOfDay(at))}  ${isBad ? paint.warning(kind) : kind}  ${clean(text)}\n`;
}
