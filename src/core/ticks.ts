import { now } from "./clock.ts";
import { NO_MORE_TICKS } from "./drain.ts";
import { DRAINING } from "./scope-node.ts";
import { blockInUse } from "./spawn.ts";
import { stopErrorOf } from "./stop-signal.ts";
import { isTerminal, RETRYING, stateOf } from "./task-node.ts";
import type { TaskNode } from "./task-node.ts";
import { rejected, sleepUntilOver, thenOf } from "./wait.ts";

/**
 * 1, 2, 3… at a fixed rate, the first after one period. A tick missed while the consumer was busy is skipped, so that
 * what is late never comes in a burst; the number says which tick it is. Ends when the scope drains, and
 * where no attempt runs.
 */
export function ticks(node: TaskNode, period: number): AsyncIterable<number> {
  return {
    [Symbol.asyncIterator]: () => {
      const startedAt = now();
      let tick = 0;
      return {
        next: (): Promise<IteratorResult<number, undefined>> => {
          const block = blockInUse(node);
          const stop = stopErrorOf(block);
          if (stop !== undefined) return rejected(stop);
          const isOver = isTerminal(block) || stateOf(block) === RETRYING;
          if (isOver || block.scope.state >= DRAINING) return Promise.resolve(END);
          const elapsed = now() - startedAt;
          // A period of zero ticks as often as the loop turns.
          tick = period === 0 ? tick + 1 : Math.max(tick, Math.floor(elapsed / period)) + 1;
          const wait = sleepUntilOver(block, Math.max(0, tick * period - elapsed), "tick");
          return thenOf(
            wait,
            (value) => (value === NO_MORE_TICKS ? END : { done: false, value: tick }),
            undefined,
          );
        },
        return: () => Promise.resolve(END),
      };
    },
  };
}

const END: IteratorResult<number, undefined> = Object.freeze({ done: true, value: undefined });
