import { now, untilTurn } from "../core/clock.ts";
import type { Collected } from "./answers.ts";
import { Refusal } from "./refusal.ts";

/**
 * Collects all garbage of this process, as the inspector protocol can without any flag, and lets those have their turn
 * who wait for something to be collected. The event loop stands still meanwhile: some 100 ms for 100 MB of heap.
 */
export async function collectGarbage(): Promise<Collected> {
  const { heapUsed: before } = process.memoryUsage();
  const started = now();
  try {
    const { Session } = await import("node:inspector/promises");
    const session = new Session();
    session.connect();
    await session.post("HeapProfiler.collectGarbage");
    session.disconnect();
  } catch (error) {
    throw new Refusal("HF_NO_GC", `this Node has no inspector: ${String(error)}`);
  }
  const ms = Math.round(now() - started);
  // The platform calls back in turns of their own, and what they find may have to come to its end.
  for (let turns = 0; turns < 3; turns++) await untilTurn();
  return { ms, before, after: process.memoryUsage().heapUsed };
}
