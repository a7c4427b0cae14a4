import { TaskCancelledError, TaskTimeoutError, type Outcome } from "holdfast";

/** How something ended, for people. */
export function words(outcome: Outcome<unknown>): string {
  if (outcome.state === "succeeded") return "delivered";
  if (outcome.state === "lost") return "lost";
  return `${outcome.state}: ${messageOf(outcome.state === "failed" ? outcome.error : outcome.reason)}`;
}

/** What went wrong, in the fewest words that say it. */
export function messageOf(error: unknown): string {
  if (error instanceof TaskTimeoutError) return `no answer within ${error.ms} ms`;
  if (error instanceof TaskCancelledError && typeof error.reason === "string") return error.reason;
  return error instanceof Error ? error.message : String(error);
}
