import type { Duration, Scope } from "holdfast";
import type { Dispatcher } from "undici";

import type { Store } from "./store.ts";

export interface Settings {
  /** For each attempt. */
  readonly timeout: Duration;
  /** The first one included. */
  readonly attempts: number;
  /** The first wait between attempts; it doubles, up to half a minute. */
  readonly backoff: Duration;
  /** How many calls to one endpoint may be open. */
  readonly perEndpoint: number;
  /** How many deliveries to one endpoint may be pending; what comes on top is not tried. */
  readonly backlog: number;
  /** How often each endpoint is asked whether it lives. */
  readonly health: Duration;
  /** How long what has ended is remembered, in days. */
  readonly days: number;
}

export const defaults: Settings = {
  timeout: "5s",
  attempts: 4,
  backoff: "500ms",
  perEndpoint: 4,
  backlog: 500,
  health: "10s",
  days: 7,
};

export type Log = (line: string) => void;

/** What the parts of courier work with. */
export interface Tools {
  /** Owns what no request does: every delivery, and the services. */
  readonly scope: Scope;
  readonly store: Store;
  readonly http: Dispatcher;
  readonly settings: Settings;
  readonly log: Log;
}

/** What the environment says. */
export function fromEnvironment(env: NodeJS.ProcessEnv): {
  port: number | undefined;
  settings: Partial<Settings>;
} {
  const { PORT, COURIER_ATTEMPTS, COURIER_PER_ENDPOINT } = env;
  const { COURIER_TIMEOUT, COURIER_BACKOFF, COURIER_HEALTH } = env;
  return {
    port: PORT === undefined ? undefined : Number(PORT),
    settings: {
      ...(COURIER_ATTEMPTS !== undefined && { attempts: Number(COURIER_ATTEMPTS) }),
      ...(COURIER_PER_ENDPOINT !== undefined && { perEndpoint: Number(COURIER_PER_ENDPOINT) }),
      // Whatever is no duration is refused where it is used, with a sentence.
      ...(COURIER_TIMEOUT !== undefined && { timeout: COURIER_TIMEOUT as Duration }),
      ...(COURIER_BACKOFF !== undefined && { backoff: COURIER_BACKOFF as Duration }),
      ...(COURIER_HEALTH !== undefined && { health: COURIER_HEALTH as Duration }),
    },
  };
}
