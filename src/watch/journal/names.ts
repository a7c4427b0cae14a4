/** At the end of a file's name while it is written; such a file is no journal yet. */
export const UNFINISHED = ".new";

const SUFFIX = ".journal";

/** What the name of a journal's file tells before it is opened. */
export interface FileName {
  /** That of the program, with what a file's name cannot have left out: two programs may share it. */
  readonly program: string;
  readonly pid: number;
}

/** `unique`: a process may have several, one after the other. */
export function toFileName(name: string, pid: number, unique: string): string {
  return `${toProgram(name)}.${pid}.${unique}${SUFFIX}`;
}

export function toProgram(name: string): string {
  return name.replaceAll(/[^\w-]/g, "_").slice(0, 64);
}

/** Undefined for what is no journal. */
export function fromFileName(name: string): FileName | undefined {
  const [, program, pid] = /^([\w-]*)\.(\d+)\.\w+\.journal$/.exec(name) ?? [];
  return program === undefined ? undefined : { program, pid: Number(pid) };
}

/** One whose writer is at it, or has died at it. */
export function isUnfinished(name: string): boolean {
  return name.endsWith(SUFFIX + UNFINISHED);
}
