import type { SuspendedFunction } from "./graph.ts";
import type { StackGroup } from "./groups.ts";
import type { Locations } from "./locations.ts";

/** Which stacks of a dump are wanted. */
export interface Selection {
  /**
   * Only those with this text in the name of a function, of a file or of a task; upper and lower case are the same.
   * @default all
   */
  readonly filter?: string | undefined;
  /** Only groups of at least so many stacks, in a tree of so many functions. @default 1 */
  readonly minCount?: number | undefined;
  /**
   * No more groups than this, the largest first, and of a tree no more lines; 0 for all.
   * @default 0 for JSON, 40 for stacks, 200 for a tree
   */
  readonly limit?: number | undefined;
}

/** What was asked for, and how much was not shown because of a limit. */
export interface Selected {
  readonly groups: readonly StackGroup[];
  /** Groups that were asked for, too, but are beyond the limit, and how many stacks they hold. */
  readonly leftOut: { readonly groups: number; readonly stacks: number };
}

/** Takes those groups that are wanted. */
export function select(groups: readonly StackGroup[], wanted: Selection, locations: Locations): Selected {
  const { filter = "", minCount = 1, limit = 0 } = wanted;
  const matches = matcher(filter, locations);
  const all = groups.filter(({ count, frames }) => count >= minCount && frames.some(matches));
  const shown = limit === 0 ? all : all.slice(0, limit);
  const rest = all.slice(shown.length);
  return {
    groups: shown,
    leftOut: { groups: rest.length, stacks: rest.reduce((sum, { count }) => sum + count, 0) },
  };
}

/** Whether a function has the text in one of its names. */
export function matcher(filter: string, locations: Locations): (one: SuspendedFunction) => boolean {
  if (filter === "") return () => true;
  const text = filter.toLowerCase();
  return (one) => {
    const { file, generated } = locations.of(one);
    return [locations.nameOf(one), one.name, file, generated?.file, one.task?.path].some((name) =>
      name?.toLowerCase().includes(text),
    );
  };
}
