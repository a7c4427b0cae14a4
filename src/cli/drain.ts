import type { Command } from "commander";
import type { StreamMessage } from "../agent/answers.ts";
import type { AgentClient } from "../agent/client.ts";
import { clean, many } from "../inspect/words.ts";
import { terminalOf } from "./terminal.ts";
import { addVerb } from "./verb.ts";
import { findAgent } from "./who.ts";

interface Flags {
  readonly reason?: string;
  readonly wait: boolean;
  readonly json?: true;
}

/** `holdfast drain PROCESS`. */
export function addDrain(program: Command): void {
  const what = "let a process finish what it has begun, and end, as SIGTERM would; wait until it has";
  addVerb(program, "drain", what, { ok: "it has ended; with --no-wait: it has begun to" })
    .option("--reason <text>", "what its report says")
    .option("--no-wait", "do not wait until it has ended")
    .action(drain);
}

async function drain(who: string, { reason = "holdfast drain", wait, json }: Flags): Promise<void> {
  const agent = await findAgent(who);
  const out = terminalOf(process.stdout);
  const say = (text: string, data: object): void =>
    out.write(json === true ? `${JSON.stringify(data)}\n` : `${text}\n`);
  // Before it is asked, so that nothing of the end is missed.
  const events = agent.follow({ type: "state,finding" });
  const begin = async (): Promise<void> => {
    const { tasks } = await agent.ask("/info");
    const answer = await agent.ask("/drain", { body: { reason } });
    const what = answer.draining.map(clean).join(", ");
    say(`process ${agent.pid} (${what}) drains: ${many(tasks.live, "live task")}`, answer);
  };
  if (wait) await follow(agent, events, begin, say);
  else await begin();
}

async function follow(
  agent: AgentClient,
  events: AsyncIterable<StreamMessage>,
  begin: () => Promise<void>,
  say: (text: string, data: object) => void,
): Promise<void> {
  for await (const message of events) {
    if (message.event === "hello") await begin();
    else if (message.event === "finding") say(clean(message.data.text), message.data);
    // Of the roots alone: a process may have a thousand scopes.
    else if (message.event === "state" && !message.data.scope.includes("/"))
      say(clean(message.data.text), message.data);
  }
  say(`process ${agent.pid} has ended`, { ended: agent.pid });
}
