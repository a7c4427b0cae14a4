import { readFileSync } from "node:fs";

/** A stretch of a process's address space, from the first address to that after the last. */
export interface Region {
  readonly from: number;
  readonly to: number;
}

/** One line of `/proc/PID/maps`. */
export interface Mapping extends Region {
  readonly rights: string;
  readonly offset: number;
  /** Empty where it is anonymous. */
  readonly path: string;
}

/** What is mapped into a process, in the order of addresses. */
export function mappings(root: string): Mapping[] {
  return readFileSync(`${root}/maps`, "latin1")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const match = /^([\da-f]+)-([\da-f]+) (\S+) ([\da-f]+) \S+ \d+ *(.*)$/.exec(line);
      const [, from = "0", to = "0", rights = "", offset = "0", path = ""] = match ?? [];
      const hex = (text: string): number => Number.parseInt(text, 16);
      return { from: hex(from), to: hex(to), rights, offset: hex(offset), path };
    });
}
