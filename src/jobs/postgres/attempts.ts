import { transactionNow } from "./ground.ts";

/** How many attempts are kept. */
const keptAttempts = 50;

/** An attempt as JSON, which ends now; `tail` is how it goes on. */
export function attemptOf(token: string, worker: string, startedAt: string, tail: string): string {
  return `('{"attempt":' || ${token} || ',"worker":' || to_json(${worker}) || ',"startedAt":' || (${startedAt})::bigint ||
    ',"endedAt":' || (${transactionNow})::bigint || ${tail})`;
}

/** The tail of one whose lease has ended. */
export const lapsedTail = `',"end":"lapsed"}'`;

/** The newest attempts of a job, with one that ends. */
export function longer(attempts: string, last: string): string {
  return `(${attempts} || ${last})[greatest(1, cardinality(${attempts}) - ${keptAttempts - 2}):]`;
}
