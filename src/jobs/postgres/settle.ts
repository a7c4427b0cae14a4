import type { NewJob, Settlement } from "../engine.ts";
import { store } from "./enqueue.ts";
import { finish, type Finish } from "./finish.ts";
import { namesOf, type Ground } from "./ground.ts";
import { leaseKey, linesOf } from "./leases.ts";
import { succeedAll, type Success } from "./succeed.ts";
import { isId } from "./text.ts";
import { isRefusal } from "./trouble.ts";

/** What became of settlements. */
export interface Settled {
  readonly written: readonly boolean[];
  /** A job has ended. */
  readonly hasEnded: boolean;
  /** A job waits again, or for the first time. */
  readonly hasQueued: boolean;
}

/** Ends attempts, all in one transaction. */
export async function settle(ground: Ground, settlements: readonly Settlement[]): Promise<Settled> {
  const quick = await settleAtOnce(ground, settlements);
  if (quick !== undefined) return quick;
  // A lease is settled once; where it is asked for twice, the first counts.
  const first = new Map<string, Settlement>();
  for (const settlement of settlements)
    if (isId(settlement.id) && !first.has(leaseKey(settlement))) first.set(leaseKey(settlement), settlement);
  const unique = [...first.values()];
  const names = await namesOf(ground, unique);
  await ground.queues.make(new Set(unique.flatMap(({ next }) => (next === undefined ? [] : [next.name]))));
  const finished = await ground.database.transaction(async (tx) => {
    const done = await finish(tx, ground, unique.map(toFinish), new Set(names.values()));
    const written = done.map((one) => first.get(leaseKey(one)) as Settlement);
    const logs = written.filter(({ log = [] }) => log.length > 0);
    if (logs.length > 0) tx.send(...linesOf(ground, logs));
    const next = written.flatMap((one): NewJob[] =>
      one.next === undefined ? [] : [{ ...one.next, onConflict: "join" }],
    );
    if (next.length > 0) await store(tx, ground, next);
    return done;
  });
  const keys = new Set(finished.map(leaseKey));
  for (const { id } of finished) ground.claimed.delete(id);
  return {
    written: settlements.map((one) => first.get(leaseKey(one)) === one && keys.has(leaseKey(one))),
    hasEnded: finished.some(({ ended }) => ended !== undefined),
    hasQueued: finished.some(
      (one) => one.ended === undefined || one.isFreeing || first.get(leaseKey(one))?.next !== undefined,
    ),
  };
}

/** Mostly all have succeeded, and there is nothing else to it. Undefined where it is not so, or one is refused. */
async function settleAtOnce(
  ground: Ground,
  settlements: readonly Settlement[],
): Promise<Settled | undefined> {
  const all: Success[] = [];
  const ids = new Set<string>();
  for (const settlement of settlements) {
    const { id, end, next } = settlement;
    const holding = ground.claimed.get(id);
    if (end !== "succeeded" || next !== undefined || holding?.hasKey !== false || ids.has(id))
      return undefined;
    ids.add(id);
    all.push({ settlement, holding });
  }
  if (all.length === 0) return undefined;
  try {
    await ground.database.transaction(async (tx) => {
      const logs = settlements.filter(({ log = [] }) => log.length > 0);
      if (logs.length > 0) tx.send(...linesOf(ground, logs));
      await succeedAll(tx, ground, all);
    });
  } catch (error) {
    if (!isRefusal(error instanceof Error ? error.cause : undefined)) throw error;
    return undefined;
  }
  for (const id of ids) ground.claimed.delete(id);
  return {
    written: settlements.map(() => true),
    hasEnded: true,
    hasQueued: all.some(({ holding }) => holding.isGrouped),
  };
}

function toFinish({ id, token, end, result, error, runAt, awaiting, progress }: Settlement): Finish {
  return {
    id,
    token,
    end,
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error: JSON.stringify(error) }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(awaiting === undefined ? {} : { awaiting: JSON.stringify(awaiting) }),
    ...(progress === undefined ? {} : { progress: JSON.stringify(progress) }),
  };
}
