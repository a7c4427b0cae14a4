import type { Agent, AgentOptions } from "../agent/agent.ts";

/**
 * Starts the agent, through which the command line sees this process. Loaded here: who only loads holdfast loads none of
 * it. Where it cannot be had the program runs all the same, and is warned once. Never rejects.
 */
export async function beSeen(options: AgentOptions): Promise<Agent | undefined> {
  try {
    const { startAgent } = await import("../agent/agent.ts");
    return await startAgent(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`this process cannot be seen with holdfast ps: ${why}`, {
      type: "HoldfastWarning",
      code: "HF_NO_AGENT",
    });
    return undefined;
  }
}
