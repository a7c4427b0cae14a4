/**
 * The last resort: where a failure is told that nobody awaits and no `onError` takes. `console` prints an error with
 * its chain of causes. It must not throw, whatever stands in the console's place: who calls it is in the middle of
 * ending a task.
 */
export function report(text: string, ...details: unknown[]): void {
  try {
    console.error(`[holdfast] ${text}`, ...details);
  } catch {
    // An error whose own properties throw cannot be printed; that it happened can.
    try {
      console.error(`[holdfast] ${text} (the error cannot be printed)`);
    } catch (error) {
      // It is the console that throws: where nobody's work is in the way, as an error nobody caught.
      process.nextTick(raise, error);
    }
  }
}

function raise(error: unknown): never {
  throw error;
}
