import { TaskCancelledError, type ErrorInfo, type Outcome } from "holdfast";

/** Why something did not succeed. */
export function whyNot(outcome: Exclude<Outcome<unknown>, { state: "succeeded" }>): string {
  if (outcome.state === "lost") return "it would never have ended";
  return messageOf(outcome.state === "failed" ? outcome.error : outcome.reason);
}

/** What went wrong, in the fewest words that say it. */
export function messageOf(error: unknown): string {
  if (error instanceof TaskCancelledError && typeof error.reason === "string") return error.reason;
  return error instanceof Error ? shortly(error.message, error.name) : String(error);
}

/** The same of an error that comes out of a record. */
export function whatWentWrong({ name, message }: ErrorInfo): string {
  return shortly(message, name);
}

/** Whatever took too long here, it was an answer. */
function shortly(message: string, name: string): string {
  const [, ms] = (name === "TimeoutError" && /timeout of (\d+) ms is over$/.exec(message)) || [];
  if (ms !== undefined) return `no answer in ${Number(ms) / 1_000} s`;
  // Where somebody cancelled the attempt by hand, that was the reason given.
  return message.replace(/^\S+ was cancelled \(\w+\): /, "");
}

/** An endpoint in a line of the log: without the scheme, for a line should fit on a terminal. */
export function at(url: string): string {
  return url.replace(/^https?:\/\//, "");
}
