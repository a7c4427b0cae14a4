import { styleText } from "node:util";
import type { Command } from "commander";
import type { CancelAnswer } from "../../agent/answers.ts";
import type { AgentClient } from "../../agent/client.ts";
import { paintWith } from "../../inspect/paint.ts";
import { toCount } from "../arguments.ts";
import { exitCodesText } from "../exit-codes.ts";
import { terminalOf } from "../terminal.ts";
import { addWho, findAgent, PATIENCE } from "../who.ts";
import { EMPTY, pressed, resized, told } from "./model.ts";
import type { Effect, Key, Model } from "./model.ts";
import { Screen } from "./screen.ts";
import { draw, FRAME } from "./view.ts";

/** How many tasks are asked for, each time. */
const MAX_TASKS = 1000;

/** `holdfast top PROCESS`. */
export function addTop(program: Command): void {
  addWho(
    program
      .command("top")
      .description("watch what a process runs, sort, filter, look into tasks, cancel them"),
  )
    .option("--every <ms>", "how often it is asked", toCount, 1000)
    .addHelpText(
      "after",
      exitCodesText("left with q, or the process has ended", [
        "HF_NO_SUCH_PROCESS",
        "HF_NO_AGENT",
        "HF_AMBIGUOUS",
      ]),
    )
    .action(async (who: string, { every }: { every: number }, command: Command) => {
      if (!process.stdout.isTTY || !process.stdin.isTTY)
        command.error("error: holdfast top needs a terminal; holdfast tasks prints without");
      const { later } = await import("../../agent/pace.ts");
      const agent = await findAgent(who);
      const why = await new Top(agent, every, later).untilLeft();
      if (why === "ended") process.stdout.write(`process ${agent.pid} has ended\n`);
    });
}

/** Asks a process again and again, and shows what it says, until it ends or somebody has seen enough. */
class Top {
  readonly #agent: AgentClient;
  readonly #every: number;
  readonly #later: (ms: number, fn: () => void) => () => void;
  readonly #screen = new Screen(process.stdout, process.stdin);
  readonly #colours = terminalOf(process.stdout).colours;
  readonly #stop = new AbortController();
  #model: Model = EMPTY;
  #isAsking = false;
  /** Asked again while an answer was waited for. */
  #isToAskAgain = false;
  #forget: () => void = () => undefined;
  #leave!: (why: "left" | "ended") => void;
  #fail!: (error: unknown) => void;

  constructor(agent: AgentClient, every: number, later: (ms: number, fn: () => void) => () => void) {
    this.#agent = agent;
    this.#every = every;
    this.#later = later;
  }

  async untilLeft(): Promise<"left" | "ended"> {
    const left = new Promise<"left" | "ended">((resolve, reject) => {
      this.#leave = resolve;
      this.#fail = reject;
    });
    this.#screen.open(
      (key) => this.#onKey(key),
      () => this.#onResize(),
    );
    this.#onResize();
    // Kept while it is looked at: so the delay of the loop is measured throughout, and the end is heard of.
    void this.#untilEnded().then(() => this.#leave("ended"), this.#fail);
    this.#ask();
    try {
      return await left;
    } finally {
      this.#forget();
      this.#stop.abort();
      this.#screen.close();
    }
  }

  async #untilEnded(): Promise<void> {
    const findings = this.#agent.follow({ type: "finding" }, this.#stop.signal);
    for await (const message of findings) {
      if (message.event === "finding") this.#change({ ...this.#model, note: message.data.text });
    }
  }

  #onKey(key: Key): void {
    const [model, effect] = pressed(this.#model, key);
    this.#change(model);
    if (effect !== undefined) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    if (effect.do === "quit") this.#leave("left");
    else if (effect.do === "ask") this.#ask();
    else void this.#cancel(effect.id);
  }

  async #cancel(task: number): Promise<void> {
    const body = { task, reason: "holdfast top" };
    const note = await this.#agent.ask("/cancel", { body }).then(noteOf, messageOf);
    this.#change({ ...this.#model, note });
    this.#ask();
  }

  #onResize(): void {
    this.#change(resized(this.#model, this.#screen.height - FRAME));
  }

  /** Now, and from now on at its pace. */
  #ask(): void {
    this.#forget();
    if (this.#isAsking) {
      this.#isToAskAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#isToAskAgain = false;
    void this.#update().then((become) => {
      this.#isAsking = false;
      this.#change(become(this.#model));
      if (this.#isToAskAgain) this.#ask();
      else this.#forget = this.#later(this.#every, () => this.#ask());
    }, this.#fail);
  }

  /** What the model becomes, by what the process says: it may have changed meanwhile, by keys. */
  async #update(): Promise<(model: Model) => Model> {
    const { looksAt, isPaused, kind } = this.#model;
    if (isPaused) return (model) => model;
    try {
      const [info, tasks, task] = await Promise.all([
        this.#agent.ask("/info", { within: PATIENCE }),
        this.#agent.ask("/tasks", {
          query: { limit: MAX_TASKS, only: kind === "all" ? undefined : kind },
          within: PATIENCE,
        }),
        looksAt === undefined ? undefined : this.#agent.ask(`/tasks/${looksAt}`, { within: PATIENCE }),
      ]);
      return (model) => ({ ...told(model, info, tasks), ...(model.looksAt === looksAt ? { task } : {}) });
    } catch (error) {
      return (model) => ({ ...model, trouble: messageOf(error) });
    }
  }

  #change(model: Model): void {
    this.#model = model;
    const mark = (text: string): string => styleText("inverse", text, { validateStream: false });
    const { width, height } = this.#screen;
    this.#screen.show(draw(model, { width, height, paint: paintWith(this.#colours), mark }));
  }
}

function noteOf({ cancelled }: CancelAnswer): string {
  return cancelled.map(({ path, id, state }) => `${path} #${id} ${state}`).join(", ");
}

/** What an agent says, or why it says nothing; a defect is none of these. */
function messageOf(error: unknown): string {
  if ((error as Error).name !== "AgentError") throw error;
  return (error as Error).message;
}
