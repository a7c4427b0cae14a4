import { join } from "node:path";

import { openScope, watch, type Scope } from "holdfast";

import { inRounds, type Case, type Effort } from "../rounds.ts";
import type { Timing } from "../timing.ts";

export const WITHOUT = "without";
export const WATCHED = "with watch, journal and agent";

const BURST = 1_000;
const body = async (): Promise<void> => undefined;

/** The shapes of work that are timed. */
const shapes: Record<string, (scope: Scope) => Case["run"]> = {
  "spawn + settle, one by one": (scope) => async (count) => {
    for (let i = 0; i < count; i++) await scope.spawn("op", body);
  },
  "spawn + settle, in bursts of 1,000": (scope) => async (count) => {
    for (let done = 0; done < count; done += BURST) {
      for (let i = 0; i < BURST; i++) scope.spawn("op", body);
      await scope.untilIdle();
    }
  },
};

/** Spawns and settles in two root scopes of this process: one that is watched and seen as `main()` has it, one that is not. */
export async function spawning(
  effort: Effort,
  folder: string,
): Promise<{ readonly title: string; readonly timings: Map<string, Timing> }[]> {
  const bare = openScope("bare");
  const watched = openScope("watched");
  const watching = watch(watched, { journal: true });
  const { startAgent } = (await import(new URL("../../dist/agent/agent.js", import.meta.url).href)) as {
    startAgent: (options: { name: string; folder: string }) => Promise<{ close(): Promise<void> }>;
  };
  const agent = await startAgent({ name: "bench", folder: join(folder, "run") });
  const found = [];
  for (const [title, make] of Object.entries(shapes)) {
    const timings = await inRounds(
      [
        { name: WITHOUT, run: make(bare) },
        { name: WATCHED, run: make(watched) },
      ],
      effort,
    );
    found.push({ title, timings });
  }
  watching.stop();
  await agent.close();
  await Promise.all([bare.close(), watched.close()]);
  return found;
}
