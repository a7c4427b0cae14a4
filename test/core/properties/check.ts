import type { ProgramClock } from "./clock.ts";
import { checkAttempts } from "./invariants/attempts.ts";
import { checkCancellation } from "./invariants/cancellation.ts";
import { checkClosing } from "./invariants/closing.ts";
import { checkDeadlocks } from "./invariants/deadlock.ts";
import { checkDelivery } from "./invariants/delivery.ts";
import { checkLimits } from "./invariants/limits.ts";
import { checkMoment } from "./invariants/moment.ts";
import { checkOutcomes } from "./invariants/outcomes.ts";
import { checkRefusals } from "./invariants/refusals.ts";
import { Model } from "./model.ts";
import type { Program } from "./program.ts";
import { runProgram } from "./run-program.ts";
import type { World } from "./world.ts";

/** Runs a program and says which invariants did not hold. None: all did. */
export async function checkProgram(
  program: Program,
  clock: ProgramClock,
): Promise<{ world: World; wrongs: string[] }> {
  const world = await runProgram(program, clock, checkMoment);
  const model = new Model(world);
  checkClosing(model);
  checkDelivery(model);
  checkCancellation(model);
  checkDeadlocks(model);
  checkRefusals(model);
  checkAttempts(model);
  checkLimits(model);
  checkOutcomes(model);
  return { world, wrongs: [...new Set(model.wrongs)] };
}
