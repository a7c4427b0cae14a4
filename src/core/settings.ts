import { oneOf, toCount, toMs } from "./duration.ts";
import type { ScopeSettings } from "./scope-node.ts";
import type { ScopeOptions } from "./options.ts";

const DEFAULT_GRACE = 5000;
const DEFAULT_DEFER_TIMEOUT = 5000;

/** Checks the options of a scope and fills in what it inherits. Throws `RangeError`. */
export function toSettings(options: ScopeOptions, parent: ScopeSettings | undefined): ScopeSettings {
  const { concurrency, queue, grace, deferTimeout, onFull, onFailure, strategy } = options;
  oneOf("onFull", onFull, ["reject", "drop-oldest"]);
  oneOf("onFailure", onFailure, ["isolate", "cancel-all"]);
  oneOf("strategy", strategy, ["one-for-one", "one-for-all", "rest-for-one"]);
  return {
    concurrency:
      concurrency === undefined || concurrency === Infinity
        ? Infinity
        : toCount(concurrency, "concurrency", 1),
    queue: queue === undefined || queue === Infinity ? Infinity : toCount(queue, "queue", 0),
    onFull: onFull ?? "reject",
    onError: options.onError,
    isCancelAll: onFailure === "cancel-all",
    strategy: strategy ?? "one-for-one",
    grace: grace === undefined ? (parent?.grace ?? DEFAULT_GRACE) : toMs(grace, "grace"),
    deferTimeout:
      deferTimeout === undefined
        ? (parent?.deferTimeout ?? DEFAULT_DEFER_TIMEOUT)
        : toMs(deferTimeout, "deferTimeout"),
    attributes: options.attributes ?? {},
    hasContext: options.context ?? parent?.hasContext ?? true,
  };
}
