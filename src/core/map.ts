import { cancellable } from "./cancellable.ts";
import { badOption, toBound, toFunction } from "./duration.ts";
import { spawnGroup } from "./group.ts";
import type { Place } from "./group.ts";
import { report } from "./reporter.ts";
import type { GroupOptions, MapOptions } from "./options.ts";
import type { Scope, Task, TaskContext } from "./types.ts";

const DEFAULT_CONCURRENCY = 16;

/** Runs a function over items as a group: bounded, in order of results, and with the first failure at an end. */
export function spawnMap<T, R>(
  place: Place,
  name: string,
  items: Iterable<T> | AsyncIterable<T>,
  run: (item: T, task: TaskContext) => R | PromiseLike<R>,
  options: MapOptions | undefined,
): Task<R[]> {
  toFunction(run, "run");
  const concurrency = toBound(options?.concurrency ?? DEFAULT_CONCURRENCY, "concurrency", 1);
  const body = async (group: Scope): Promise<R[]> => {
    const results: R[] = [];
    // Counted, and compared, with items of such maps alone.
    const itemName = `${group.name}.item`;
    const iterator = iterate(items);
    let count = 0;
    try {
      for (;;) {
        await group.untilRoom();
        // A source that never answers must not hold up a cancel.
        const next = await cancellable(Promise.resolve(iterator.next()));
        if (next.done === true) break;
        const { value } = next;
        const index = count++;
        group.spawn(
          itemName,
          async (task) => {
            results[index] = await run(value, task);
          },
          { attributes: { index } },
        );
      }
    } catch (error) {
      // Not awaited: a source that hangs in `next()` hangs in `return()` too.
      void returnQuietly(iterator);
      throw error;
    }
    await group.untilIdle();
    return results;
  };
  const groupOptions: GroupOptions = { ...options, concurrency, queue: 0 };
  return spawnGroup(place, name, body, groupOptions) as Task<R[]>;
}

/** The source's own clean-up: its failure comes after the one that made us leave, and adds nothing to it. */
async function returnQuietly(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch (error) {
    report("a source of map() failed to close", error);
  }
}

function iterate<T>(items: Iterable<T> | AsyncIterable<T>): AsyncIterator<T, unknown> | Iterator<T, unknown> {
  const from = items as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined;
  const iterator = from?.[Symbol.asyncIterator]?.() ?? from?.[Symbol.iterator]?.();
  if (iterator === undefined) throw badOption("items", items, "an iterable or an async iterable");
  return iterator;
}
