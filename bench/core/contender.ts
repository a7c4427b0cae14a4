/** Does the operation so many times; resolves when all have ended. */
type Loop = (count: number) => Promise<unknown>;

/** So many live, sleeping tasks. */
export interface Herd {
  /** Ends them all and resolves when they have ended: by cancelling, where the library can. */
  end(): Promise<unknown>;
  /** Spawns and settles one by one while they live. */
  readonly oneByOne?: Loop;
}

/** Makes a herd; the tasks are asleep when it returns or resolves. */
export type MakeHerd = (count: number) => Herd | Promise<Herd>;

/** The shapes of work that are timed, in the order in which they are printed. */
export const loopNames = ["oneByOne", "inside", "awaitAll", "awaitEach", "untilIdle"] as const;
export type LoopName = (typeof loopNames)[number];

/** One way of running background work, with what it can do of what is measured. */
export interface Contender {
  readonly name: string;
  readonly loops: Readonly<Partial<Record<LoopName, Loop>>>;
  /** Ways to have sleeping tasks, by name. */
  readonly herds?: Readonly<Record<string, MakeHerd>>;
  /** Those of them whose `end` is a cancellation worth timing. */
  readonly cancels?: readonly string[];
  /** Those of them beside which spawning goes on. */
  readonly lives?: readonly string[];
}
