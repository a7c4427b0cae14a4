// Apart, so that the types of `main()` need none of the inspector's, nor those of Node.

/** A line at which a function is suspended. */
export interface AwaitLine {
  /** A path, where the script is a file; else what its script is called. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Empty for a function without a name. */
  readonly function: string;
}

/** Where the functions of a task of holdfast are suspended. */
export interface TaskLines {
  readonly id: number;
  readonly path: string;
  /** The innermost functions: of those that await one another, the one that awaits something else. */
  readonly awaiting: readonly AwaitLine[];
}
