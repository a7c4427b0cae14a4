import { engineClock } from "./engine-clock.ts";
import type { Engine, JobStore } from "./engine.ts";
import type { JobState } from "./record.ts";
import { workerName } from "./worker-name.ts";

/** A store that is looked into from outside, by who runs no jobs. */
export interface Visit {
  readonly store: JobStore;
  /** When it was opened, in ms since the epoch. */
  readonly at: number;
  /** Resolves with whether the job has ended, as soon as it has; false when so many ms are over. */
  untilEnded(id: string, ms: number): Promise<boolean>;
}

/** Visitors hold no leases. */
const LEASE = 60_000;

/** Opens a store to look into it, and to act on jobs by their ids. Rejects with `EngineError`. */
export async function visit(engine: Engine): Promise<Visit> {
  let onEnd = (): void => undefined;
  const store = await engine.open({
    worker: workerName(),
    lease: LEASE,
    work: false,
    wake: (what) => {
      if (what === "end") onEnd();
    },
    // What was asked for rejects, which is all that a visitor has to know.
    onTrouble: () => undefined,
    clock: engineClock,
  });
  const untilEnded = async (id: string, ms: number): Promise<boolean> => {
    let isOver = false;
    const takeBack = engineClock.later(ms, () => {
      isOver = true;
      onEnd();
    });
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => (onEnd = resolve));
        if ((await store.ended([id])).length > 0) return true;
        if (isOver) return false;
        await woken;
      }
    } finally {
      takeBack();
    }
  };
  return { store, at: engineClock.wall(), untilEnded };
}

/** Why a job cannot be retried as it is. */
export function whyNoRetry(state: JobState): string {
  return state === "failed" || state === "cancelled"
    ? "cannot be retried: another unfinished job has its key"
    : `is ${state}: only what failed or was cancelled can be retried`;
}
