import { TaskCancelledError, TaskTimeoutError, type Outcome } from "holdfast";

/** How a delivery ended, for people. */
export function words(outcome: Outcome<unknown>): string {
  return outcome.state === "succeeded" ? "delivered" : `${outcome.state}: ${whyNot(outcome)}`;
}

/** Why something did not succeed. */
export function whyNot(outcome: Exclude<Outcome<unknown>, { state: "succeeded" }>): string {
  if (outcome.state === "lost") return "it would never have ended";
  return messageOf(outcome.state === "failed" ? outcome.error : outcome.reason);
}

/** What went wrong, in the fewest words that say it. */
export function messageOf(error: unknown): string {
  if (error instanceof TaskTimeoutError) return `no answer in ${error.ms / 1000} s`;
  if (error instanceof TaskCancelledError && typeof error.reason === "string") return error.reason;
  return error instanceof Error ? error.message : String(error);
}

/** An endpoint in a line of the log: without the scheme, for a line should fit on a terminal. */
export function at(url: string): string {
  return url.replace(/^https?:\/\//, "");
}
