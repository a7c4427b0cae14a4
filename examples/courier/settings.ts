import { fileURLToPath } from "node:url";
import type { Duration, Scope } from "holdfast";
import type { Dispatcher } from "undici";

import type { Place } from "./storage.ts";
import type { Store } from "./store.ts";

export interface Settings {
  /** For each attempt. */
  readonly timeout: Duration;
  /** The first one included. */
  readonly attempts: number;
  /** The first wait between attempts; it doubles, up to half a minute. */
  readonly backoff: Duration;
  /** How many calls to one endpoint may be open, of all couriers that share a database. */
  readonly perEndpoint: number;
  /** How often each endpoint is asked whether it lives. */
  readonly health: Duration;
  /** How long what has ended is remembered, in days. */
  readonly days: number;
  /** Whether it has a mistake for the tour to find, or had it; absent where it never did. See mistake.ts. */
  readonly mistake?: "made" | "mended";
}

export const defaults: Settings = {
  timeout: "5s",
  attempts: 4,
  backoff: "500ms",
  perEndpoint: 4,
  health: "10s",
  days: 7,
};

export type Log = (line: string) => void;

/** What the parts of courier work with. */
export interface Tools {
  /** Owns what no request does. */
  readonly scope: Scope;
  readonly store: Store;
  readonly http: Dispatcher;
  readonly settings: Settings;
  readonly log: Log;
}

/** What the environment says, else `base`. Throws for what cannot be: now, rather than at the first delivery. */
export function fromEnvironment(
  env: NodeJS.ProcessEnv,
  base: Settings = defaults,
): { port: number | undefined; place: Place; settings: Settings } {
  const read = (name: string, pattern: RegExp, expected: string): string | undefined => {
    const text = env[name];
    if (text === undefined || pattern.test(text)) return text;
    throw new Error(`${name} is ${JSON.stringify(text)}: expected ${expected}`);
  };
  const count = (name: string, otherwise: number): number =>
    Number(read(name, /^[1-9]\d{0,3}$/, "a whole number from 1 to 9999") ?? otherwise);
  const duration = (name: string, otherwise: Duration): Duration =>
    (read(name, /^\d+(ms|s|m|h)$/, "a duration such as 500ms, 5s or 1m") as Duration | undefined) ??
    otherwise;

  const port = read("PORT", /^\d{1,5}$/, "a port");
  const { DATABASE_URL: database } = env;
  // There may be a password in it, so it is not shown.
  if (database !== undefined && !/^postgres(ql)?:\/\//.test(database))
    throw new Error("DATABASE_URL is none of a Postgres: expected postgres://…");
  const data = read("COURIER_DATA", /./, "a folder") ?? fileURLToPath(new URL("./data", import.meta.url));
  const mistake = read("COURIER_MISTAKE", /^(made|mended)$/, '"made" or "mended"');
  return {
    port: port === undefined ? undefined : Number(port),
    place: database === undefined ? { data } : { database },
    settings: {
      ...base,
      timeout: duration("COURIER_TIMEOUT", base.timeout),
      attempts: count("COURIER_ATTEMPTS", base.attempts),
      backoff: duration("COURIER_BACKOFF", base.backoff),
      perEndpoint: count("COURIER_PER_ENDPOINT", base.perEndpoint),
      health: duration("COURIER_HEALTH", base.health),
      ...(mistake !== undefined && { mistake: mistake as NonNullable<Settings["mistake"]> }),
    },
  };
}
