import { emitKeypressEvents } from "node:readline";
import type { Key } from "./model.ts";

/*
 * The terminal, as `top` needs it. By hand, as what it needs is little: the alternate screen, one line at a time, keys. The
 * libraries for it are a renderer of components with what belongs to it (ink), many packages for a small part (terminal-kit),
 * or are not kept any more (blessed and its heirs); all would be larger than the rest of the command line.
 */

const ENTER = "\u001B[?1049h\u001B[?25l\u001B[?7l";
const LEAVE = "\u001B[?7h\u001B[?25h\u001B[?1049l";

/** A full screen, taken from the terminal and given back. */
export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #in: NodeJS.ReadStream;
  readonly #undo: (() => void)[] = [];
  #shown: string[] = [];

  constructor(out: NodeJS.WriteStream, input: NodeJS.ReadStream) {
    this.#out = out;
    this.#in = input;
  }

  get width(): number {
    return Math.max(20, this.#out.columns);
  }

  get height(): number {
    return Math.max(8, this.#out.rows);
  }

  open(onKey: (key: Key) => void, onResize: () => void): void {
    const key = (
      text: string | undefined,
      { name, ctrl, meta }: { name?: string; ctrl?: boolean; meta?: boolean },
    ): void => {
      const isText = text !== undefined && ctrl !== true && meta !== true && /^\P{Cc}+$/u.test(text);
      onKey({ name, ctrl, text: isText ? text : undefined });
    };
    const resize = (): void => {
      // What the terminal has made of the lines is not known.
      this.#shown = [];
      this.#out.write("\u001B[2J");
      onResize();
    };
    // Whoever ends it has to give the terminal back.
    const exit = (): void => this.close();
    emitKeypressEvents(this.#in);
    this.#in.on("keypress", key);
    this.#in.setRawMode(true);
    this.#in.resume();
    this.#out.on("resize", resize);
    process.once("exit", exit);
    const onTerm = (): void => process.exit(143);
    process.once("SIGTERM", onTerm);
    this.#undo.push(
      () => this.#in.off("keypress", key),
      () => this.#in.setRawMode(false),
      () => this.#in.pause(),
      () => this.#out.off("resize", resize),
      () => process.off("exit", exit),
      () => process.off("SIGTERM", onTerm),
    );
    this.#out.write(ENTER);
  }

  /** Writes the lines that are not what they were. */
  show(lines: readonly string[]): void {
    const changed = lines.flatMap((line, at) =>
      line === this.#shown[at] ? [] : [`\u001B[${at + 1};1H\u001B[2K${line}`],
    );
    this.#shown = [...lines];
    if (changed.length > 0) this.#out.write(changed.join(""));
  }

  close(): void {
    if (this.#undo.length === 0) return;
    for (const undo of this.#undo.splice(0)) undo();
    this.#out.write(LEAVE);
  }
}
