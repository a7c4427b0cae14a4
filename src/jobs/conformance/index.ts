import assert from "node:assert/strict";

import { claimCases } from "./claim-cases.ts";
import { controlCases } from "./control-cases.ts";
import type { CaseDefinition } from "./definition.ts";
import { endCases } from "./end-cases.ts";
import { enqueueCases } from "./enqueue-cases.ts";
import { faultCases } from "./fault-cases.ts";
import { fencingCases } from "./fencing-cases.ts";
import type { EngineCase, EngineHarness } from "./harness.ts";
import { limitCases } from "./limit-cases.ts";
import { readCases } from "./read-cases.ts";
import { recoveryCases } from "./recovery-cases.ts";
import { Stage } from "./stage.ts";
import { textCases } from "./text-cases.ts";
import { timeCases } from "./time-cases.ts";
import { wakeCases } from "./wake-cases.ts";

export type { EngineBench, EngineCase, EngineCaseGroup, EngineHarness, EngineOffer } from "./harness.ts";

const definitions: readonly CaseDefinition[] = [
  ...enqueueCases,
  ...claimCases,
  ...limitCases,
  ...timeCases,
  ...endCases,
  ...controlCases,
  ...readCases,
  ...textCases,
  ...wakeCases,
  ...fencingCases,
  ...recoveryCases,
  ...faultCases,
];

/**
 * The suite that every engine has to pass, as cases for any test runner; `docs/engines.md` shows it with two. Where
 * `elapse` really waits, give each case a timeout of five leases and half a minute.
 *
 * @example
 * for (const { name, skip, run } of engineCases(harness)) test(name, { skip }, () => run(harness));
 */
export function engineCases(options: Pick<EngineHarness, "capabilities" | "offers">): readonly EngineCase[] {
  return definitions.map((definition): EngineCase => {
    const skip = reasonToSkip(definition, options);
    return {
      name: definition.name,
      group: definition.group,
      ...(skip === undefined ? {} : { skip }),
      run: (harness) => runCase(definition, harness),
    };
  });
}

function reasonToSkip(
  { capabilities = [], offers = [] }: CaseDefinition,
  options: Pick<EngineHarness, "capabilities" | "offers">,
): string | undefined {
  const cannot = capabilities.filter((capability) => !options.capabilities[capability]);
  if (cannot.length > 0) return `the engine says that it cannot: ${cannot.join(", ")}`;
  const missing = offers.filter((offer) => !options.offers.includes(offer));
  return missing.length === 0 ? undefined : `the harness does not offer: ${missing.join(", ")}`;
}

async function runCase(definition: CaseDefinition, harness: EngineHarness): Promise<void> {
  const bench = await harness.create();
  const stage = new Stage(bench);
  const errors: unknown[] = [];
  const collect = async (part: () => Promise<void>): Promise<void> => {
    try {
      await part();
    } catch (error) {
      errors.push(error);
    }
  };
  await collect(async () => {
    const { capabilities } = bench.engine();
    assert.deepEqual(harness.capabilities, capabilities, "the harness says what the engine says of itself");
    assert.ok(bench.lease >= capabilities.minLease, "the bench's lease is one that the engine can keep");
    for (const offer of definition.offers ?? [])
      assert.equal(typeof bench[offer], "function", `the harness offers ${offer}, and its bench has none`);
    await definition.run(stage);
  });
  await collect(() => stage.end());
  await collect(() => bench.destroy());
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${definition.name}: ${String(errors[0])}`);
}
