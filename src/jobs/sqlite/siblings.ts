import type { Changes } from "./connection.ts";

/** Hears of what another opening of the same file changed. */
type Listener = (changes: Changes) => void;

/** The openings of this process, by the real path of their file. */
const openings = new Map<string, Set<Listener>>();

/** Joins the openings of a file. Returns what tells the others, and what leaves. */
export function joinSiblings(
  file: string,
  listener: Listener,
): { readonly tell: Listener; readonly leave: () => void } {
  const all = openings.get(file) ?? new Set();
  openings.set(file, all);
  all.add(listener);
  return {
    tell: (changes) => {
      if (all.size > 1) for (const other of all) if (other !== listener) other(changes);
    },
    leave: () => {
      all.delete(listener);
      if (all.size === 0 && openings.get(file) === all) openings.delete(file);
    },
  };
}
