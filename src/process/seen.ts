import type { Agent } from "../agent/agent.ts";
import type { Scope } from "../core/types.ts";
import type { Watch } from "../watch/watch.ts";

/**
 * Starts the agent, through which the command line sees this process. Loaded here: who only loads holdfast loads none of
 * it. Where it cannot be had the program runs all the same, and is warned once. Never rejects.
 */
export async function beSeen(app: Scope, watch: Watch | undefined): Promise<Agent | undefined> {
  try {
    const { startAgent } = await import("../agent/agent.ts");
    // Of all roots of the process; but what ends it is `main`'s own.
    return await startAgent({
      name: app.name,
      findings: () => watch?.findings() ?? [],
      drain: (reason) => app.requestClose(reason),
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`this process cannot be seen with holdfast ps: ${why}`, {
      type: "HoldfastWarning",
      code: "HF_NO_AGENT",
    });
    return undefined;
  }
}
