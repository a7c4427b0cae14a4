import type { JournalFailure } from "../watch/journal/format.ts";

/** Called with an error that nobody caught, or the reason of a rejection that nobody handled. */
export type OnUnheard = (origin: JournalFailure["origin"], error: unknown) => void;

const EVENT = "unhandledRejection";
/** With these values of `--unhandled-rejections` Node does the same, whether anybody listens or not. */
const INDIFFERENT = /--unhandled-rejections[= ](none|warn)(\s|$)/;

/**
 * Hears of what fails unheard, and changes nothing: what comes of it (the end of the process, most of the time) is left
 * to Node and to the program. Returns the function that stops.
 */
export function onUnheard(listener: OnUnheard): () => void {
  const onUncaught = (error: unknown, origin: NodeJS.UncaughtExceptionOrigin): void =>
    listener(origin === EVENT ? "rejection" : "exception", error);
  const stopFollowing = followListeners((reason) => listener("rejection", reason));
  process.on("uncaughtExceptionMonitor", onUncaught);
  return () => {
    process.off("uncaughtExceptionMonitor", onUncaught);
    stopFollowing();
  };
}

/**
 * A rejection for which the program has a listener does not become an uncaught error, so it has to be listened for. But
 * a listener alone keeps it from ending the process: ours is there only while another is.
 */
function followListeners(onRejection: (reason: unknown) => void): () => void {
  const isIndifferent = INDIFFERENT.test([...process.execArgv, process.env["NODE_OPTIONS"]].join(" "));
  const isAlone = (): boolean => process.listenerCount(EVENT) === 0;
  let isListening = false;
  const listen = (): void => {
    if (isListening) return;
    isListening = true;
    process.prependListener(EVENT, onRejection);
  };
  const unlisten = (): void => {
    isListening = false;
    process.off(EVENT, onRejection);
  };
  const onNew = (name: string | symbol, added: unknown): void => {
    if (name === EVENT && added !== onRejection) listen();
  };
  const onRemoved = (name: string | symbol, removed: unknown): void => {
    if (name !== EVENT) return;
    // By somebody who removes all.
    if (removed === onRejection) isListening = false;
    else if (!isIndifferent && isListening && process.listenerCount(EVENT) === 1) unlisten();
  };
  if (isIndifferent || !isAlone()) listen();
  process.on("newListener", onNew);
  process.on("removeListener", onRemoved);
  return () => {
    process.off("newListener", onNew);
    process.off("removeListener", onRemoved);
    unlisten();
  };
}
