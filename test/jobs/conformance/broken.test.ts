import { AssertionError } from "node:assert/strict";
import { describe, expect, test } from "vitest";

import { engineCases } from "../../../src/jobs/conformance/index.ts";
import { MemoryJobs } from "../memory-jobs.ts";
import * as openings from "./broken-openings.ts";
import * as stores from "./broken.ts";
import { memoryHarness } from "./memory-harness.ts";

/** For each defect the beginnings of the names of cases that have to fail. */
const seenBy: Record<string, readonly string[]> = {
  UnfencedCompletion: ["a lease that was given up"],
  CompletionAfterTheLeaseEnded: ["a lease lasts a whole length"],
  SettledTwice: ["of several settlements"],
  LostEnqueueInABatch: ["enqueue stores every job"],
  HalfABatchIsKept: ["reject stores none"],
  DuplicateKeyInABatch: ["a key that is taken joins"],
  KeyRace: ["of many that enqueue one key"],
  KeyNotFreed: ["a key is free again"],
  KeysCompareLoosely: ["keys are compared as they are"],
  ReplaceLeavesTheOldOne: ["replace cancels a queued job"],
  SuccessorTooEarly: ["replace asks a running job"],
  ExpiryIsDropped: ["a record tells what was enqueued"],
  ExpiryIsIgnored: ["what has expired"],
  PriorityIgnored: ["a claim gives jobs by priority"],
  LimitsIgnored: ["a claim keeps to its limits"],
  WorkerForgotten: ["a claimed job comes with"],
  DoubleClaim: ["no job is given to two", "many claims at the same time"],
  DoubleClaimAndEverySettlementWritten: ["many settle and claim"],
  TokenDoesNotGrow: ["each claim of a job has a greater token"],
  PauseOfANameIgnored: ["paused names are not claimed"],
  PauseOfAllHoldsKnownNames: ["a pause of all"],
  ConcurrencyPerOpening: ["concurrencyPerKey bounds", "many claims at the same time"],
  SleepersKeepTheirPlace: ["a place of a concurrencyKey is free"],
  RatePerOpening: ["a rate bounds"],
  RateInFixedWindows: ["a rate bounds"],
  DelaysIgnored: ["a job is not claimable before its runAt"],
  NextInForgotten: ["a job is not claimable before its runAt", "jobs of a worker that crashed"],
  SleepersGoToTheBack: ["again and slept are due"],
  WallClockForLeases: ["leases do not notice"],
  DueByTheSteadyClock: ["leases do not notice"],
  ErrorForgotten: ["succeeded, failed and cancelled end a job"],
  ForgottenRelease: ["released puts a job back"],
  ReleasedCountsAsFailure: ["again counts a failure"],
  ReleasedGoesToTheBack: ["released puts a job back"],
  AttemptsUnbounded: ["a record keeps the newest 50"],
  LogUnbounded: ["what an attempt says of itself"],
  StepRecordedTwice: ["a step is recorded once"],
  NextJoinsTheOneThatEnds: ["next is stored in the same moment"],
  NextThoughRefused: ["a lease that was given up"],
  CancelOfAnEndedOne: ["cancel ends a queued job"],
  CancelNotPassedToRunning: ["cancel marks a running job"],
  HandedBackIsQueuedThoughCancelled: ["a job that was asked to stop"],
  RetryKeepsCounts: ["retry queues a job again"],
  RetryThoughItsKeyIsTaken: ["retry does nothing while"],
  RemovesWhatRuns: ["remove takes an ended job"],
  ForEverIsNothing: ["sweep removes"],
  PagingByOffset: ["list gives pages"],
  ScheduleIsNoFilter: ["list filters"],
  StatsForgetCancelled: ["stats count"],
  EndedOfAll: ["ended tells"],
  ResultWrittenAnew: ["inputs, results and values"],
  TextsEndAtNul: ["errors, lines and notes"],
  WakeLost: [
    "wake(jobs) is called of every opening",
    "wake(jobs) is called when a place",
    "wake(cancel) is called of the opening",
    "wake(cancel) is called where",
    "wake(end) is called of other openings",
    "a delay that another opening stores",
  ],
  OnlySettlementsTellOfAnEnd: [
    "wake(end) is called where a claim",
    "wake(end) is called where a job was replaced",
  ],
  RenewDoesNotExtend: ["a lease lasts a whole length"],
  CheckExtends: ["a lease lasts a whole length"],
  LapsesUnbounded: ["a lease that ends is a lapse"],
  LapsedIsNotReclaimed: ["a lease that ends is a lapse", "jobs of a worker that crashed"],
  LapsedKeepsItsPlace: ["a lapse frees"],
  TransactionIgnored: ["a transaction's jobs", "a transaction that is rolled back"],
  Unordered: ["a claim sees what was enqueued"],
  CloseIgnored: ["close waits"],
  CloseCutsOff: ["close waits"],
  PauseForgotten: ["what was acknowledged is there"],
  AcknowledgesTooEarly: ["what was acknowledged survives"],
  TornBatch: ["a batch that was begun"],
  TornSettlement: ["a settlement that was begun"],
};

const harnesses = new Map([
  ...Object.entries(stores).map(([name, Jobs]) => [name, memoryHarness((clock) => new Jobs(clock))] as const),
  ...Object.entries(openings).map(
    ([name, Opening]) => [name, memoryHarness((clock) => new MemoryJobs(clock), Opening)] as const,
  ),
]);
const cases = engineCases(memoryHarness());
const rows = Object.entries(seenBy).flatMap(([defect, names]) =>
  names.map((name) => [defect, name] as const),
);

test.each(rows)("%s: the case fails: %s", async (defect, name) => {
  const [found, ...others] = cases.filter((one) => one.name.startsWith(name));
  expect(others).toEqual([]);
  const harness = harnesses.get(defect);
  if (found === undefined || harness === undefined) throw new Error("no such case, or no such defect");
  const error: unknown = await found.run(harness).then(
    () => "it passed",
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AssertionError);
});

describe("the list of defects", () => {
  test("has every broken engine", () => {
    expect([...harnesses.keys()].toSorted()).toEqual(Object.keys(seenBy).toSorted());
    expect(harnesses.size).toBeGreaterThan(50);
  });

  test("has one for every case: each was seen to fail", () => {
    const blind = cases.filter(({ name }) => !rows.some(([, start]) => name.startsWith(start)));
    expect(blind.map(({ name }) => name)).toEqual([]);
  });
});
