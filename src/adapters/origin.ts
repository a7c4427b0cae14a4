import { AsyncLocalStorage } from "node:async_hooks";
import type { Attributes } from "../core/options.ts";
import { REQUEST } from "../core/request.ts";
import type { FromRequest, RequestEnd } from "../core/request.ts";
import type { Scope } from "../core/index.ts";

/** Which request something comes from: attributes of its tasks, and of what outlives it. */
export type Origin = {
  /** The framework's id of the request. */
  readonly request: string;
  readonly method: string;
  /** The pattern that matched, not the URL: `/users/:id`. */
  readonly route: string;
};

/** A request that something comes from: how it is told, and when it ended. */
export interface Request {
  readonly origin: Origin;
  readonly end: RequestEnd;
}

// A store of its own: it stays with what a request started for as long as that runs, nested as deep as it may be.
const requests = new AsyncLocalStorage<Request>();

/** Calls `fn` as part of a request. */
export function withRequest<R>(request: Request, fn: () => R): R {
  return requests.run(request, fn);
}

/**
 * Makes a scope, and those opened in it, remember for all that is started by their methods which request that was
 * started in. Their own methods are replaced, for a wrapper would not be the scope that tasks belong to.
 */
export function rememberOrigins(scope: Scope): void {
  const { spawn, adopt, group, map, service, every, cron, scope: open } = scope;
  const own: Partial<Scope> = {
    spawn: (name, run, options) => spawn.call(scope, name, run, tagged(options)) as never,
    adopt: (name, promise, options) => adopt.call(scope, name, promise, tagged(options)) as never,
    group: (name, body, options) => group.call(scope, name, body, tagged(options)) as never,
    map: (name, items, run, options) =>
      map.call(scope, name, items as never, run as never, tagged(options)) as never,
    service: (name, run, options) => service.call(scope, name, run, tagged(options)),
    every: (name, period, run, options) => every.call(scope, name, period, run, tagged(options)),
    cron: (name, expression, run, options) => cron.call(scope, name, expression, run, tagged(options)),
    scope: (name, options) => {
      const child = open.call(scope, name, tagged(options));
      rememberOrigins(child);
      return child;
    },
  };
  for (const [name, value] of Object.entries(own)) Object.defineProperty(scope, name, { value });
}

interface Tagged extends FromRequest {
  readonly attributes?: Attributes;
}

function tagged<O extends Tagged>(options: O | undefined): (O & Tagged) | Tagged | undefined {
  const request = requests.getStore();
  if (request === undefined) return options;
  const attributes = { ...request.origin, ...options?.attributes };
  return { ...options, attributes, [REQUEST]: request.end };
}
