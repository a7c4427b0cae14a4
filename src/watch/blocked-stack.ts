const MAX_FRAMES = 30;

/**
 * To be called by what the inspector evaluates in the middle of running JavaScript: the frames below that, which are
 * those of whatever runs; undefined where there are none, as the loop merely turned.
 */
export function stackBelow(): string | undefined {
  const { stackTraceLimit } = Error;
  const formatting: { prepareStackTrace?: unknown } = Error;
  const { prepareStackTrace } = formatting;
  Error.stackTraceLimit = MAX_FRAMES;
  // The application's own formatter is code that might not return.
  formatting.prepareStackTrace = undefined;
  const lines = (new Error("blocked").stack ?? "").split("\n");
  Error.stackTraceLimit = stackTraceLimit;
  formatting.prepareStackTrace = prepareStackTrace;
  const evaluated = lines.findIndex((line) => /^\s*at <anonymous>:1:\d+$/.test(line));
  const below = lines.slice(evaluated + 1).map((line) => line.trim());
  return evaluated === -1 || below.length === 0 ? undefined : below.join("\n");
}
