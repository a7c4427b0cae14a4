import type { Command } from "commander";
import type { ErrorInfo, StreamMessage } from "../agent/answers.ts";
import { paintWith } from "../inspect/paint.ts";
import type { Paint } from "../inspect/paint.ts";
import { clean, count } from "../inspect/words.ts";
import { ageOfTask, messageOf, shortPath } from "./task-text.ts";
import { terminalOf } from "./terminal.ts";
import { addVerb } from "./verb.ts";
import { findAgent } from "./who.ts";
import { age, cut, timeOfDay } from "./words.ts";

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
    else out.write(lineOf(message, paint, out.columns));
  }
}

const BAD = new Set(["retry", "restart", "cancel", "late", "finding"]);
/** What stands before the words: the time, and the type. */
const BEFORE = 24;

function lineOf(message: StreamMessage, paint: Paint, width: number | undefined): string {
  if (message.event === "hello") {
    const { name, pid, at } = message.data;
    return paint.faint(`${timeOfDay(at)}  process ${pid}, ${clean(name)}: listening; Ctrl-C ends this\n`);
  }
  if (message.event === "missed")
    return paint.warning(
      `              ${count(message.data.missed)} events came faster than they were read\n`,
    );
  const { at, type } = message.data;
  const isBad = BAD.has(type) || ("task" in message.data && message.data.task?.state === "failed");
  const kind = type.padEnd(8);
  const text = words(message, width === undefined ? undefined : width - BEFORE);
  return `${paint.faint(timeOfDay(at))}  ${isBad ? paint.warning(kind) : kind}  ${text}\n`;
}

/** What has happened; where there is not room for all, its place is named by its last parts. */
function words(message: StoryMessage, room: number | undefined): string {
  if (message.event === "state" || message.event === "finding") return clean(message.data.text);
  const { id, path } = message.data.task;
  const what = happening(message);
  const rest = ` #${id}${what === "" ? "" : `  ${what}`}`;
  if (room === undefined) return clean(path) + rest;
  return cut(clean(shortPath(path, room - rest.length)) + rest, room);
}

type StoryMessage = Exclude<StreamMessage, { event: "hello" | "missed" }>;

function happening(message: Exclude<StoryMessage, { event: "state" | "finding" }>): string {
  const { task } = message.data;
  const { attempt, state } = task;
  const why = (error: ErrorInfo | undefined): string =>
    error === undefined ? "" : `: ${messageOf(error, task.path)}`;
  switch (message.event) {
    case "spawn":
      return "";
    case "start":
      return attempt > 1 ? `attempt ${attempt}` : "";
    case "retry":
    case "restart":
      return `attempt ${attempt}${why(message.data.error)}; again in ${age(message.data.delay)}`;
    case "cancel":
      return messageOf(message.data.error, task.path);
    case "late":
      return `settled after it was ${state}${why(message.data.error)}`;
    default: {
      const old = age(ageOfTask(task, message.data.at));
      return `${state} after ${old}${state === "succeeded" ? "" : why(task.error)}`;
    }
  }
}
