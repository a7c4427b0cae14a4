import { fileURLToPath } from "node:url";
import type { JournalTask } from "../../../src/watch/journal/writer.ts";
import { Model, simulate } from "../../watch/journal/model.ts";
import { Child } from "../process/child.ts";

const START = 1_764_165_787_000;
/** Steps between two flushes. */
const STEPS = 5;

const fixtures = {
  driver: fileURLToPath(new URL("./fixtures/driver.ts", import.meta.url)),
  reporter: fileURLToPath(new URL("./fixtures/reporter.ts", import.meta.url)),
  "full-disk": fileURLToPath(new URL("./fixtures/full-disk.ts", import.meta.url)),
} as const;

/** A command that runs one of the fixtures: Node 22 has to be told to strip types. */
export function commandOf(
  fixture: keyof typeof fixtures,
  args: readonly string[],
  flags: readonly string[] = [],
): [string, ...string[]] {
  const strip = process.version.startsWith("v22.")
    ? ["--experimental-strip-types", "--disable-warning=ExperimentalWarning"]
    : [];
  return [process.execPath, ...strip, ...flags, fixtures[fixture], ...args];
}

/** A program that writes a journal of what `seed` says. */
export function drive(
  folder: string,
  seed: number,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): Child {
  const own = ["--folder", folder, "--seed", String(seed), "--steps", String(STEPS), ...args];
  return new Child(commandOf("driver", own, flags));
}

/** The last flush that the program has said is done; 0 before the first. */
export function lastDone({ stdout }: Child): number {
  const end = stdout.lastIndexOf("\n");
  return Number(stdout.slice(stdout.lastIndexOf("\n", end - 1) + 1, Math.max(0, end)));
}

/** What lived in the story of a seed at a flush. */
export function truthAt(seed: number, flush: number, perFlush: number = STEPS): JournalTask[] {
  const model = new Model();
  const steps = simulate(seed, START);
  for (let n = 0; n < flush * perFlush; n++) {
    const { value: step } = steps.next();
    if (step !== undefined) model.apply(step);
  }
  return model.live;
}
