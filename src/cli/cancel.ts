import type { Command } from "commander";
import type { AgentError } from "../agent/client.ts";
import { clean } from "../inspect/words.ts";
import { failures } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { ageOfTask, stateText } from "./task-text.ts";
import { addVerb, print } from "./verb.ts";
import { findAgent } from "./who.ts";
import { age } from "./words.ts";

interface Flags {
  readonly reason?: string;
  readonly all?: true;
  readonly json?: true;
}

/** `holdfast cancel PROCESS TASK`. */
export function addCancel(program: Command): void {
  const what = "cancel a task, and wait until it has stopped, its clean-up included";
  addVerb(program, "cancel", what, {
    ok: "it has ended",
    codes: ["HF_NO_TASK", "HF_TASK_ENDED", "HF_TASK_ABANDONED"],
  })
    .argument("<task>", "its id, or its path, as holdfast tree and tasks print them")
    .option("--all", "all tasks at that path, where there are several")
    .option("--reason <text>", "what the task is told")
    .action(cancel);
}

async function cancel(who: string, task: string, { reason, all, json }: Flags): Promise<void> {
  const agent = await findAgent(who);
  // Without limit: a task may take its grace, which is as long as its owner said.
  const body = { task, reason: reason ?? "holdfast cancel", all: all === true };
  const answer = await agent.ask("/cancel", { body }).catch((error: unknown) => {
    throw withCandidates(error);
  });
  print(answer, json === true, ({ paint }) =>
    answer.cancelled.map(
      (one) =>
        `${paint.name(clean(one.path))} ${paint.faint(`#${one.id}`)} ${stateText(one.state, paint)} after ${age(ageOfTask(one, answer.at))}` +
        (one.state === "abandoned" ? ": it did not stop within its grace, and was given up" : ""),
    ),
  );
  if (answer.cancelled.some(({ state }) => state === "abandoned"))
    process.exitCode = failures.HF_TASK_ABANDONED;
}

/** Which tasks it may have been, in the message. */
function withCandidates(error: unknown): unknown {
  const { name, code, message, candidates } = error as AgentError;
  if (name !== "AgentError" || candidates.length === 0) return error;
  const list = candidates.map(({ id, path, state }) => `\n  #${id}  ${clean(path)}  ${state}`).join("");
  return code === "HF_AMBIGUOUS"
    ? new Failure(code, `${message}: say which by its id, or --all${list}`)
    : new Failure("HF_NO_TASK", `${message}; there is${list}`);
}
