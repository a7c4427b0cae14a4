import { deliveryStates, type DeliveryState } from "./delivery.ts";

/** What may be said to courier. Fastify checks it, and answers 400 with a sentence on what is wrong. */

export interface EndpointInput {
  readonly id?: string;
  readonly url: string;
  readonly secret?: string;
}
export const endpointInput = {
  type: "object",
  required: ["url"],
  additionalProperties: false,
  properties: {
    id: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" },
    url: { type: "string", format: "uri", pattern: "^https?://", maxLength: 2_048 },
    secret: { type: "string", pattern: "^whsec_[A-Za-z0-9+/]{24,88}={0,2}$" },
  },
} as const;

export interface EventInput {
  readonly id?: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}
export const eventInput = {
  type: "object",
  required: ["type", "data"],
  additionalProperties: false,
  properties: {
    id: { type: "string", pattern: "^[A-Za-z0-9_-]{1,64}$" },
    type: { type: "string", pattern: "^[a-z0-9_]+(\\.[a-z0-9_]+)*$", maxLength: 100 },
    data: { type: "object" },
  },
} as const;

export interface DeliveryQuery {
  readonly state?: DeliveryState;
  readonly endpoint?: string;
  readonly event?: string;
  readonly limit: number;
}
export const deliveryQuery = {
  type: "object",
  additionalProperties: false,
  properties: {
    state: { type: "string", enum: deliveryStates },
    endpoint: { type: "string", maxLength: 100 },
    event: { type: "string", maxLength: 100 },
    limit: { type: "integer", minimum: 1, maximum: 500, default: 50 },
  },
} as const;
