import type { JobSettings } from "./define.ts";
import type { Engine } from "./engine.ts";
import { EngineError } from "./errors.ts";

/** Throws where a definition asks for what the engine cannot do. */
export function refuseUnable(engine: Engine, { name, concurrencyKey, rate }: JobSettings): void {
  const { concurrencyKeys, rates } = engine.capabilities;
  if (concurrencyKey !== undefined && !concurrencyKeys) throw cannot(engine, `concurrencyKey, of ${name}`);
  if (rate !== undefined && !rates) throw cannot(engine, `rate, of ${name}`);
}

/** An engine says of itself that it cannot do this. */
export function cannot(engine: Engine, what: string): EngineError {
  return new EngineError("HF_ENGINE_CANNOT", engine.name, `this engine cannot do this: ${what}`);
}
