import type { EngineCapabilities } from "../engine.ts";
import type { EngineCaseGroup, EngineOffer } from "./harness.ts";
import type { Stage } from "./stage.ts";

/** What not every engine can do. */
type Capability = Exclude<keyof EngineCapabilities, "minLease">;

/** A case as it is written; `index.ts` makes an `EngineCase` of it. */
export interface CaseDefinition {
  readonly name: string;
  readonly group: EngineCaseGroup;
  readonly capabilities?: readonly Capability[];
  readonly offers?: readonly EngineOffer[];
  run(stage: Stage): Promise<void>;
}
