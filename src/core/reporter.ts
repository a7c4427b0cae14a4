/**
 * The last resort: where a failure is told that nobody awaits and no `onError` takes. `console` prints an error with
 * its chain of causes. It must not throw: a closed stderr is no reason to lose the rest.
 */
export function report(text: string, ...details: unknown[]): void {
  try {
    console.error(`[holdfast] ${text}`, ...details);
  } catch {
    // An error whose own properties throw cannot be printed; that it happened can.
    console.error(`[holdfast] ${text} (the error cannot be printed)`);
  }
}
