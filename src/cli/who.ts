import type { Command } from "commander";
import type { AgentClient } from "../agent/client.ts";
import { clean } from "../inspect/words.ts";
import { Failure } from "./failure.ts";

/** How long somebody who is asked for a name may be silent, in ms. */
export const PATIENCE = 2000;

/** The argument by which verbs are told whom to ask. */
export function addWho(command: Command): Command {
  return command.argument(
    "<process>",
    "its pid, or its name where only one process goes by it (holdfast ps)",
  );
}

/** The agent of a process, by its pid or by its name. Throws `Failure`. */
export async function findAgent(who: string): Promise<AgentClient> {
  // Loaded here: help and mistakes need none of it.
  const { AgentClient: Client } = await import("../agent/client.ts");
  const agents = Client.list();
  return /^\d+$/.test(who) ? byPid(Number(who), agents) : byName(who, agents);
}

async function byPid(pid: number, agents: readonly AgentClient[]): Promise<AgentClient> {
  const found = agents.find((agent) => agent.pid === pid);
  if (found !== undefined) return found;
  const { hasPid } = await import("../watch/pids.ts");
  if (!hasPid(pid)) throw new Failure("HF_NO_SUCH_PROCESS", `no process has the pid ${pid}`);
  throw new Failure(
    "HF_NO_AGENT",
    `process ${pid} cannot be asked: it does not run under main() or holdfast/register, or with agent: false, or as another user, or with ` +
      `another TMPDIR or XDG_RUNTIME_DIR. What it waits for can be seen all the same: holdfast dump ${pid}`,
  );
}

async function byName(name: string, agents: readonly AgentClient[]): Promise<AgentClient> {
  const named: { agent: AgentClient; name: string | undefined }[] = await Promise.all(
    agents.map(async (agent) => ({ agent, name: await nameOf(agent) })),
  );
  const found = named.filter((one) => one.name === name);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.agent;
  const list = (some: typeof named): string =>
    some.map((one) => `\n  ${one.agent.pid}  ${clean(one.name ?? "(does not answer)")}`).join("");
  if (found.length > 1)
    throw new Failure(
      "HF_AMBIGUOUS",
      `${found.length} processes are called ${JSON.stringify(name)}: say which by its pid${list(found)}`,
    );
  const others = named.length === 0 ? "; no process has an agent" : `; there are${list(named)}`;
  throw new Failure("HF_NO_SUCH_PROCESS", `no process is called ${JSON.stringify(name)}${others}`);
}

/** What an agent goes by; undefined where it does not answer, or has gone. */
async function nameOf(agent: AgentClient): Promise<string | undefined> {
  try {
    return (await agent.ask("/", { within: PATIENCE })).name;
  } catch (error) {
    if ((error as Error).name !== "AgentError") throw error;
    return undefined;
  }
}
