import type { AttemptEnd, JobAttempt, JobRecord, JobState } from "holdfast/jobs";

import type { CourierEvent } from "./store.ts";
import { whatWentWrong } from "./words.ts";

/*
 * One event on its way to one endpoint is a job. This is what of its record is told to whoever asks for a delivery.
 */

/** What is stored of it: the event as it was posted, and which endpoint is to get it. Where that is, and its secret, is looked up for each attempt. */
export interface Letter {
  readonly event: CourierEvent;
  readonly endpoint: string;
}

/** What the endpoint answered when it took it. */
export interface Receipt {
  readonly status: number;
}

export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly type: string;
  readonly endpoint: string;
  /** Where that is now. */
  readonly url: string;
  readonly state: DeliveryState;
  readonly attempts: readonly Attempt[];
  /** What its last attempt failed with; of one that was cancelled, or never tried, why. */
  readonly error?: string;
  readonly createdAt: string;
  readonly endedAt?: string;
}

export const deliveryStates = ["pending", "delivered", "failed", "cancelled"] as const;
export type DeliveryState = (typeof deliveryStates)[number];

interface Attempt {
  readonly number: number;
  /** `lapsed`: courier died over it. `released`: courier ended, and handed it back. Neither counts as a try. */
  readonly end: AttemptEnd | "none yet";
  readonly startedAt: string;
  /** How long it took; absent while it runs. */
  readonly ms?: number;
  /** The answer's status; absent where none came. */
  readonly status?: number;
  readonly error?: string;
}

/** In which states the job of such a delivery may be. */
export const jobStates = {
  pending: ["queued", "running"],
  delivered: ["succeeded"],
  failed: ["failed"],
  cancelled: ["cancelled"],
} as const satisfies Record<DeliveryState, readonly JobState[]>;

export function stateOf(state: JobState): DeliveryState {
  if (state === "succeeded") return "delivered";
  return state === "failed" || state === "cancelled" ? state : "pending";
}

/** A key for each delivery: while one is pending, there is no second one of the same event to the same endpoint. */
export function keyOf(event: string, endpoint: string): string {
  return `${event}/${endpoint}`;
}

/** A delivery, as its job tells it. */
export function toDelivery(job: JobRecord, url: string): Delivery {
  const { event, endpoint } = job.input as Letter;
  return {
    id: job.id,
    event: event.id,
    type: event.type,
    endpoint,
    url,
    state: stateOf(job.state),
    attempts: job.attempts.map((attempt) => toAttempt(attempt, job)),
    ...(job.error !== undefined && job.state !== "succeeded" && { error: whatWentWrong(job.error) }),
    createdAt: new Date(job.createdAt).toISOString(),
    ...(job.endedAt !== undefined && { endedAt: new Date(job.endedAt).toISOString() }),
  };
}

function toAttempt({ attempt, startedAt, endedAt, end, error }: JobAttempt, job: JobRecord): Attempt {
  const status = end === "succeeded" ? (job.result as Receipt).status : statusIn(error?.message);
  return {
    number: attempt,
    end: end ?? "none yet",
    startedAt: new Date(startedAt).toISOString(),
    ...(endedAt !== undefined && { ms: endedAt - startedAt }),
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error: whatWentWrong(error) }),
  };
}

/** What is stored of an error is its text. */
function statusIn(message = ""): number | undefined {
  const [, status] = /^answered (\d{3})$/.exec(message) ?? [];
  return status === undefined ? undefined : Number(status);
}
