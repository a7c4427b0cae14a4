import { callLater } from "../core/clock.ts";
import { isA } from "../core/errors.ts";
import { EngineError } from "./errors.ts";
import type { EngineErrorCode } from "./errors.ts";

const LASTING: readonly EngineErrorCode[] = [
  "HF_ENGINE_SCHEMA",
  "HF_ENGINE_CORRUPT",
  "HF_ENGINE_CANNOT",
  "HF_ENGINE_CLOSED",
];
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 2000;

/** Whether asking again may help. */
function isPassing(error: unknown): error is EngineError {
  return isA(error, EngineError) && !LASTING.includes(error.code);
}

/** Asks an engine until it answers, what fails lastingly, or `isOver` says that it is too late; then throws what it threw. */
export async function persist<T>(ask: () => Promise<T>, isOver: () => boolean): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || isOver()) throw error;
      await new Promise<void>((resolve) => {
        callLater(pause, resolve, undefined);
      });
    }
  }
}
