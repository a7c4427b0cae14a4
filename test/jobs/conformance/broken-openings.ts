import { untilTurn } from "../../../src/core/clock.ts";
import type { EngineContext } from "../../../src/jobs/engine.ts";
import { MemoryOpening } from "../memory-engine.ts";
import type { MemoryJobs } from "../memory-jobs.ts";

/** Openings of the reference engine with one defect each. */

/** Stores at once what is to be stored when the user's transaction commits. */
export class TransactionIgnored extends MemoryOpening {
  constructor(jobs: MemoryJobs, context: EngineContext) {
    super(jobs, context);
    const { enqueue } = this;
    this.enqueue = (batch) => enqueue(batch);
  }
}

/** Applies an enqueue a moment after what was begun later. */
export class Unordered extends MemoryOpening {
  constructor(jobs: MemoryJobs, context: EngineContext) {
    super(jobs, context);
    const { enqueue } = this;
    this.enqueue = async (...all) => {
      await untilTurn();
      return enqueue(...all);
    };
  }
}

/** Goes on after its close. */
export class CloseIgnored extends MemoryOpening {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Cuts off at its close what has begun: what an enqueue that comes late runs into. */
export class CloseCutsOff extends Unordered {}

/** Forgets at each opening what was paused. */
export class PauseForgotten extends MemoryOpening {
  constructor(jobs: MemoryJobs, context: EngineContext) {
    jobs.state.paused.clear();
    super(jobs, context);
  }
}

/** Acknowledges what only a close in order makes durable. */
export class AcknowledgesTooEarly extends MemoryOpening {
  readonly #restore: () => void;
  constructor(jobs: MemoryJobs, context: EngineContext) {
    super(jobs, context);
    const durable = structuredClone(jobs.state);
    this.#restore = () => (jobs.state = durable);
  }
  override crash(): void {
    super.crash();
    this.#restore();
  }
  override close(): Promise<void> {
    super.crash();
    return Promise.resolve();
  }
}

/** Stores a batch job by job. */
export class TornBatch extends MemoryOpening {
  constructor(jobs: MemoryJobs, context: EngineContext) {
    super(jobs, context);
    const { enqueue } = this;
    this.enqueue = async (batch, client) => {
      const answers = [];
      for (const job of batch) {
        answers.push(...(await enqueue([job], client)));
        await untilTurn();
      }
      return answers;
    };
  }
}

/** Stores the next occurrence a moment after the settlement. */
export class TornSettlement extends MemoryOpening {
  constructor(jobs: MemoryJobs, context: EngineContext) {
    super(jobs, context);
    const { settle, enqueue } = this;
    this.settle = async (all) => {
      const written = await settle(all.map(({ next: _next, ...rest }) => rest));
      await untilTurn();
      for (const [at, { next }] of all.entries())
        if (written[at] === true && next !== undefined) await enqueue([next]);
      return written;
    };
  }
}
