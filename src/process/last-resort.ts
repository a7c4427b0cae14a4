import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import { currentTask } from "../core/ambient.ts";
import { stackBelow } from "../watch/blocked-stack.ts";
import type { Account } from "./account.ts";
import type { Interruption } from "./copies.ts";
import type { GuardWords } from "./guard-thread.ts";
import { isTerminal } from "./words.ts";

/** What a process is killed with: 128 + SIGKILL. */
const KILLED = 137;

/** What the guard is to write if it has to kill the process: of the tasks it knows those that live now. */
export function guardWords(account: Account): GuardWords {
  const report = account.report(KILLED, account.live());
  return isTerminal()
    ? { text: `${account.toWords(report)}\nthe event loop is blocked in native code: killed` }
    : { record: { ...report, blocked: { native: true } } };
}

/**
 * The last words of a main thread that is blocked, said from inside of what blocks it: the guard has the inspector
 * call this between two instructions of the running JavaScript, so the stack and the async context are the culprit's.
 * Does not return. No "exit" listener runs: their turn will not come.
 */
export function sayLastWords(account: Account, { forcedBy, exitCode, lines = [] }: Interruption): never {
  const stack = stackBelow();
  const task = currentTask()?.path;
  const blocked = stack === undefined ? {} : { blocked: { ...(task === undefined ? {} : { task }), stack } };
  const forced = forcedBy === undefined ? {} : { forcedBy };
  account.write(account.report(exitCode, account.live(), { ...blocked, ...forced, lines }));
  return exitQuietly(exitCode);
}

/**
 * Ends the process from within an inspector session, without the notice that Node prints where one is open: that goes
 * to standard error, which is the null device by then.
 */
export function exitQuietly(exitCode: number): never {
  try {
    closeSync(2);
    openSync(devNull, "w");
  } catch {
    // Closed before: then nothing can be printed there.
  }
  // `process.exit` would run listeners, and one of those may be what blocks.
  return (process as unknown as { reallyExit(code: number): never }).reallyExit(exitCode);
}
