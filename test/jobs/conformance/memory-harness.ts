import type { JobStore } from "../../../src/jobs/engine.ts";
import type { EngineHarness } from "../../../src/jobs/conformance/index.ts";
import {
  inTransaction,
  ManualEngineClock,
  memoryCapabilities,
  memoryEngine,
  MemoryOpening,
} from "../memory-engine.ts";
import { MemoryJobs } from "../memory-jobs.ts";

/** The reference engine, or one with a defect, for the suite. */
export function memoryHarness(
  makeJobs: (clock: ManualEngineClock) => MemoryJobs = (clock) => new MemoryJobs(clock),
  Opening: typeof MemoryOpening = MemoryOpening,
): EngineHarness {
  return {
    capabilities: memoryCapabilities,
    offers: ["crash", "jumpWall", "transaction"],
    create: () => {
      const clock = new ManualEngineClock();
      const jobs = makeJobs(clock);
      return Promise.resolve({
        clock,
        lease: 1_000,
        engine: () => memoryEngine(jobs, Opening),
        elapse: (ms) => clock.elapse(ms),
        crash: (store: JobStore) => Promise.resolve((store as MemoryOpening).crash()),
        jumpWall: (ms) => clock.jumpWall(ms),
        transaction: (fn) => inTransaction(jobs, fn),
        destroy: () => Promise.resolve(),
      });
    },
  };
}
