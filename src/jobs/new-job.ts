import { wall } from "../core/clock.ts";
import { badOption, oneOf, toMs, toName } from "../core/duration.ts";
import type { Duration } from "../core/index.ts";
import { toPriority } from "./define.ts";
import type { JobSettings } from "./define.ts";
import type { NewJob } from "./engine.ts";

/** What is decided about one job where it is enqueued. */
export interface EnqueueOptions {
  /** Unique among the unfinished jobs of its name. @default none */
  readonly key?: string;
  /**
   * What to do where the key is taken: nothing, and answer with the job that has it (`join`); cancel that one, and run
   * this one after it has stopped (`replace`); or throw `JobKeyConflictError` (`reject`). @default "join"
   */
  readonly onConflict?: "join" | "replace" | "reject";
  /** Not earlier than in this time. @default at once */
  readonly delay?: Duration;
  /** Not earlier than at this moment of the wall clock; a number is ms since the epoch. @default at once */
  readonly runAt?: Date | number;
  /** Higher runs earlier. @default that of its definition */
  readonly priority?: number;
  /** An attempt does not begin later: after this time, or at this moment, the job fails. @default its definition's */
  readonly expires?: Duration | Date;
}

const CONFLICTS = ["join", "replace", "reject"] as const;

/** An input, as it is stored, and as the job's function will get it. */
export interface JobInput {
  /** JSON. */
  readonly text: string;
  readonly value: unknown;
}

/** A job, ready to be stored. Throws `RangeError` for an option that cannot be, and what `concurrencyKey` throws. */
export function newJob(settings: JobSettings, input: JobInput, options: EnqueueOptions): NewJob {
  const { key, onConflict, priority } = options;
  if (key !== undefined) toName(key, "key");
  oneOf("onConflict", onConflict, CONFLICTS);
  const runAt = runAtOf(options);
  const expiresAt = expiresAtOf(settings, options);
  const concurrencyKey = concurrencyKeyOf(settings, input.value);
  // By hand, for many thousands are made in a moment.
  return {
    name: settings.name,
    input: input.text,
    priority: priority === undefined ? settings.priority : toPriority(priority),
    maxLapses: settings.maxLapses,
    keep: settings.keep,
    ...(key !== undefined && { key }),
    ...(key !== undefined && onConflict !== undefined && { onConflict }),
    ...(runAt !== undefined && { runAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(concurrencyKey !== undefined && { concurrencyKey, concurrencyPerKey: settings.concurrencyPerKey }),
  };
}

function runAtOf({ delay, runAt }: EnqueueOptions): number | undefined {
  if (delay !== undefined && runAt !== undefined)
    throw badOption("runAt", runAt, "nothing where there is a delay");
  if (delay !== undefined) return wall() + toMs(delay, "delay");
  return runAt === undefined ? undefined : toMoment(runAt, "runAt");
}

function expiresAtOf(settings: JobSettings, { expires }: EnqueueOptions): number | undefined {
  if (expires instanceof Date) return toMoment(expires, "expires");
  const ms = expires === undefined ? settings.expires : toMs(expires, "expires");
  return ms === undefined ? undefined : wall() + ms;
}

/** ms since the epoch. */
function toMoment(value: Date | number, option: string): number {
  const moment = Number(value);
  if (Number.isFinite(moment)) return Math.round(moment);
  throw badOption(option, value, "a moment: a Date, or ms since the epoch");
}

function concurrencyKeyOf({ concurrencyKey }: JobSettings, input: unknown): string | undefined {
  const key = concurrencyKey?.(input);
  return key === undefined ? undefined : toName(key, "concurrencyKey");
}
