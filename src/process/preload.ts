import { callEvery, callLater } from "../core/clock.ts";
import { openScope } from "../core/scope.ts";
import type { Scope } from "../core/types.ts";
import type { Agent } from "../agent/agent.ts";
import { openJournal } from "../watch/journal/writer.ts";
import type { Journal } from "../watch/journal/writer.ts";
import { watch } from "../watch/watch.ts";
import { registry } from "./copies.ts";
import { tellDead } from "./dead.ts";
import { programName } from "./program-name.ts";
import { beSeen } from "./seen.ts";
import { onUnheard } from "./unheard.ts";

/** How often the journal is written, in ms. */
const EVERY = 1000;
/** In this time whoever asks has the answer, in ms. */
const ANSWERED = 100;

/**
 * Gives a program that knows nothing of holdfast an agent, a watchdog, and a journal of what fails unheard; once for a
 * process, however often it is asked for. What cannot be had is warned of, and the program runs all the same.
 */
export function preload(): void {
  const own = registry();
  if (own.preload !== undefined || own.main !== undefined) return;
  try {
    own.preload = new Preload(programName());
  } catch (error) {
    process.emitWarning(`this process is not looked after: ${String(error)}`, {
      type: "HoldfastWarning",
      code: "HF_NOT_REGISTERED",
    });
  }
}

class Preload {
  /** Of the program: what the watchdog finds is said in it. Nothing runs in it. */
  readonly #scope: Scope;
  readonly #journal: Journal;
  #agent: Promise<Agent | undefined>;
  readonly #stops: (() => void)[];

  constructor(name: string) {
    // What has said of itself that it ended has said what it had to say, to whom started it.
    tellDead(name, ({ hasEnded }) => !hasEnded);
    const scope = openScope(name);
    const journal = openJournal({ name });
    const watching = watch(scope);
    const onExit = (exitCode: number): void => this.#close(exitCode);
    process.once("exit", onExit);
    this.#scope = scope;
    this.#journal = journal;
    this.#stops = [
      callEvery(EVERY, () => journal.flush()),
      onUnheard((origin, error) => journal.failed(origin, error)),
      () => watching.stop(),
      () => process.off("exit", onExit),
    ];
    this.#agent = beSeen({
      name,
      failures: () => journal.failures,
      look: () => watching.sweep(),
      // As whoever runs it would, and when that has been answered: what it does then is its own.
      drain: () => void callLater(ANSWERED, () => process.kill(process.pid, "SIGTERM"), undefined),
    });
  }

  /** For a `main()` that will be seen itself. */
  async releaseAgent(): Promise<void> {
    const agent = await this.#agent;
    await agent?.close();
  }

  /** For a `main()` that watches, and writes a journal, itself. */
  releaseWatch(): void {
    this.#close();
    this.#scope.requestClose("main() watches from here on");
  }

  #close(exitCode?: number): void {
    for (const stop of this.#stops.splice(0)) stop();
    const { failures } = this.#journal;
    this.#journal.close(failures.length === 0, exitCode);
  }
}
