import { EngineError, type EngineErrorCode } from "../errors.ts";

/** What the driver, Node or Postgres threw. */
interface Thrown {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly message?: unknown;
}

const byState: readonly (readonly [RegExp, EngineErrorCode])[] = [
  [/^08|^57P0|^53300$|^3D000$|^28/, "HF_ENGINE_UNAVAILABLE"],
  [/^53100$|^53200$/, "HF_ENGINE_FULL"],
  [/^25006$/, "HF_ENGINE_READONLY"],
  [/^40P01$|^40001$|^55P03$|^57014$/, "HF_ENGINE_BUSY"],
  [/^XX00[12]$/, "HF_ENGINE_CORRUPT"],
];

/** The same as an `EngineError`. `isUnsure`: what was asked may have been stored when the connection was lost. */
export function toEngineError(engine: string, thrown: unknown, isUnsure = false): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const { message } = (thrown ?? {}) as Thrown;
  const text = typeof message === "string" && message !== "" ? message : String(thrown);
  if (isLost(thrown))
    return isUnsure
      ? new EngineError(
          "HF_ENGINE_UNSURE",
          engine,
          `the connection was lost before the answer came: ${text}`,
          thrown,
        )
      : new EngineError("HF_ENGINE_UNAVAILABLE", engine, text, thrown);
  const state = stateOf(thrown);
  const code = state === undefined ? undefined : byState.find(([pattern]) => pattern.test(state))?.[1];
  return new EngineError(code ?? "HF_ENGINE_FAILED", engine, text, thrown);
}

/** Whether another try of the whole transaction may well work: two stood in each other's way, and it was rolled back. */
export function isCollision(thrown: unknown): boolean {
  const state = stateOf(thrown);
  return state === "40P01" || state === "40001";
}

/** Whether a statement of ours has refused to go on, by dividing by zero: it has no other way to undo a transaction. */
export function isRefusal(thrown: unknown): boolean {
  return stateOf(thrown) === "22012";
}

/** Whether Postgres has answered that a statement has failed, over a connection that goes on. */
export function isAnswer(thrown: unknown): boolean {
  return (thrown as Thrown | undefined)?.severity === "ERROR";
}

/** Whether the connection is gone, so that nobody knows what became of what was under way. */
function isLost(thrown: unknown): boolean {
  const state = stateOf(thrown);
  if (state !== undefined) return /^08|^57P0/.test(state);
  const { code, message } = (thrown ?? {}) as Thrown;
  if (thrown instanceof AggregateError) return thrown.errors.some(isLost);
  if (typeof code === "string" && /^E[A-Z_]+$/.test(code)) return true;
  return typeof message === "string" && /connection|not queryable|connect|socket/i.test(message);
}

/** The SQLSTATE of an error that Postgres has sent. */
function stateOf(thrown: unknown): string | undefined {
  const { code, severity } = (thrown ?? {}) as Thrown;
  return typeof severity === "string" && typeof code === "string" ? code : undefined;
}
