import { expect, test } from "vitest";

import { nextTurn, now } from "../../src/core/clock.ts";
import type { JobStore, Settlement } from "../../src/jobs/engine.ts";
import { EngineError } from "../../src/jobs/errors.ts";
import { Settling } from "../../src/jobs/settling.ts";
import { Trouble } from "../../src/jobs/trouble.ts";

/** A `Settling` over a store of which only `settle` is there, and what it has said. */
function settlingOn(settle: (settlements: readonly Settlement[]) => Promise<readonly boolean[]>) {
  const calls: string[][] = [];
  const said: string[] = [];
  const store = {
    settle: (settlements: readonly Settlement[]) => {
      calls.push(settlements.map(({ id }) => id));
      return settle(settlements);
    },
  } as Pick<JobStore, "settle"> as JobStore;
  let onFewer: () => void = () => undefined;
  const settling = new Settling({
    store,
    trouble: new Trouble((error) => said.push(`trouble: ${(error as Error).message}`)),
    stored: (_, { id }) => said.push(`stored ${id}`),
    lost: () => said.push("lost"),
    fewer: () => onFewer(),
  });
  const untilNone = async (): Promise<void> => {
    while (settling.count > 0) await new Promise<void>((resolve) => (onFewer = resolve));
  };
  return { settling, calls, said, untilNone };
}

const held = { leaseEnd: now() + 60_000 };
const succeeded = (id: string): Settlement => ({ id, token: 1, end: "succeeded" });
const turn = (): Promise<void> => new Promise((resolve) => nextTurn(resolve));

test("what ends in one turn is stored in one go, and what is known later, then", async () => {
  const { settling, calls, said, untilNone } = settlingOn((all) => Promise.resolve(all.map(() => true)));
  let know: (settlement: Settlement) => void = () => undefined;
  settling.add(held, succeeded("a"));
  settling.add(held, new Promise((resolve) => (know = resolve)));
  settling.add(held, succeeded("b"));
  expect(calls).toEqual([]);
  await turn();
  expect(calls).toEqual([["a", "b"]]);
  expect(settling.count).toBe(1);
  know(succeeded("c"));
  await untilNone();
  expect(calls).toEqual([["a", "b"], ["c"]]);
  expect(said).toEqual(["stored a", "stored b", "stored c"]);
});

test("of a lot that fails each is stored by itself: the one that it failed by is lost, and no other", async () => {
  const { settling, calls, said, untilNone } = settlingOn((all) =>
    all.some(({ id }) => id === "poison")
      ? Promise.reject(new EngineError("HF_ENGINE_CORRUPT", "e", "no"))
      : Promise.resolve(all.map(() => true)),
  );
  for (const id of ["a", "poison", "b"]) settling.add(held, succeeded(id));
  await untilNone();
  expect(calls).toEqual([["a", "poison", "b"], ["a"], ["poison"], ["b"]]);
  expect(said.toSorted()).toEqual(["lost", "stored a", "stored b", expect.stringContaining("trouble: ")]);
});

test("what the engine does not write is lost, and no trouble of the engine", async () => {
  const { settling, said, untilNone } = settlingOn((all) => Promise.resolve(all.map(({ id }) => id === "a")));
  for (const id of ["a", "b"]) settling.add(held, succeeded(id));
  await untilNone();
  expect(said).toEqual(["stored a", "lost"]);
});

test("what cannot be stored while its lease lasts is lost, whatever else was to be stored with it", async () => {
  let isAway = true;
  const { settling, said, untilNone } = settlingOn((all) =>
    isAway
      ? Promise.reject(new EngineError("HF_ENGINE_UNAVAILABLE", "e", "away"))
      : Promise.resolve(all.map(() => true)),
  );
  settling.add({ leaseEnd: now() - 1 }, succeeded("late"));
  settling.add(held, succeeded("a"));
  await turn();
  await turn();
  expect(said).toEqual([expect.stringContaining("trouble: "), "lost"]);
  isAway = false;
  await untilNone();
  expect(said.at(-1)).toBe("stored a");
});
