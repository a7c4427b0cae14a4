import { givenMs, oneOf, toBound, toFunction } from "./duration.ts";
import type { ScopeSettings } from "./scope-node.ts";
import type { ScopeOptions } from "./options.ts";

const DEFAULT_GRACE = 5000;
const DEFAULT_DEFER_TIMEOUT = 5000;

/** Options of a scope, of which some may be there and undefined. */
type Asked = { readonly [K in keyof ScopeOptions]: ScopeOptions[K] | undefined };

/** Checks the options of a scope and fills in what it inherits. Throws `RangeError`. */
export function toSettings(options: Asked, parent: ScopeSettings | undefined): ScopeSettings {
  const onFull = oneOf("onFull", options.onFull, ["reject", "drop-oldest"]);
  const onFailure = oneOf("onFailure", options.onFailure, ["isolate", "cancel-all"]);
  const strategy = oneOf("strategy", options.strategy, ["one-for-one", "one-for-all", "rest-for-one"]);
  return {
    concurrency: toBound(options.concurrency, "concurrency", 1),
    queue: toBound(options.queue, "queue", 0),
    onFull,
    onError: options.onError && toFunction(options.onError, "onError"),
    isCancelAll: onFailure === "cancel-all",
    strategy,
    grace: givenMs(options.grace, "grace") ?? parent?.grace ?? DEFAULT_GRACE,
    deferTimeout:
      givenMs(options.deferTimeout, "deferTimeout") ?? parent?.deferTimeout ?? DEFAULT_DEFER_TIMEOUT,
    attributes: options.attributes ?? {},
    hasContext: options.context ?? parent?.hasContext ?? true,
  };
}
