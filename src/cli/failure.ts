import type { failures } from "./exit-codes.ts";

/** What the command line cannot do, and says so: with a code, from which its exit code follows. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: keyof typeof failures;

  constructor(code: keyof typeof failures, message: string) {
    super(message);
    this.code = code;
  }
}
