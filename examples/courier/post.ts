import { request, type Dispatcher } from "undici";

import { sign } from "./signature.ts";
import type { CourierEvent } from "./store.ts";

/** The endpoint answered, and the answer was no. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code = "COURIER_REFUSED";
  readonly status: number;
  constructor(status: number) {
    super(`answered ${status}`);
    this.status = status;
  }
}

/** What a call needs to know of its endpoint. */
export interface Recipient {
  readonly url: string;
  readonly secret: string;
}

/**
 * Makes one signed call, and returns the status of the answer. Throws `RefusedError` unless it is a 2xx: a redirect is
 * not followed, for an endpoint is asked for by its owner, not by whoever answers there.
 */
export async function post(
  http: Dispatcher,
  { url, secret }: Recipient,
  { id, type, data, createdAt }: CourierEvent,
  signal: AbortSignal,
): Promise<number> {
  const body = JSON.stringify({ type, timestamp: createdAt, data });
  const headers = { "content-type": "application/json", "user-agent": "courier", ...sign(secret, id, body) };
  const response = await request(url, { dispatcher: http, method: "POST", headers, body, signal });
  // Nobody reads the answer's text, yet a connection is free for the next call only after it has come.
  await response.body.dump({ limit: 65_536, signal });
  const { statusCode } = response;
  if (statusCode < 200 || statusCode > 299) throw new RefusedError(statusCode);
  return statusCode;
}

/** Whether the same call may succeed later: not where the endpoint said that the call itself is wrong. */
export function isWorthAnotherAttempt(error: unknown): boolean {
  if (!(error instanceof RefusedError)) return true;
  return error.status >= 500 || [408, 425, 429].includes(error.status);
}
