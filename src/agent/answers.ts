import type { ErrorInfo } from "../core/errors.ts";
import type { FindingEvent, ScopeEventName, ScopeEventOf, ScopeStats, TaskInfo } from "../core/info.ts";
import type { Attributes } from "../core/options.ts";
import type { ScopeState } from "../core/words.ts";
import type { JobStats } from "../jobs/record.ts";
import type { JournalFailure } from "../watch/journal/format.ts";

/*
 * What the agent answers, as plain data. openapi.json says the same as a schema; a new number in `schema` where
 * something changes that was there before. Fields are only ever added within a number.
 */

export type { ErrorInfo } from "../core/errors.ts";

/** Of which form the answers are. */
export const SCHEMA = 1;

/** Every answer begins with it. */
export interface Answer {
  readonly schema: typeof SCHEMA;
  /** When it was told, in ms since the epoch, by the clock from which all other times are. */
  readonly at: number;
}

/** A route as `GET /` lists it. */
export interface RouteInfo {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly does: string;
}

/** `GET /`. */
export interface WelcomeAnswer extends Answer {
  readonly name: string;
  readonly pid: number;
  readonly routes: readonly RouteInfo[];
}

/** How late the event loop is, in ms: what a timer waits beyond its time. */
export interface LoopDelay {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** For how long it has been measured: since somebody connected. */
  readonly measuredMs: number;
}

/** How many tasks there are, and how the ended ones ended: over all root scopes that are open. */
export type TaskCounts = Omit<ScopeStats, "path" | "state" | "names">;

/** `GET /info`. */
export interface InfoAnswer extends Answer {
  readonly name: string;
  readonly pid: number;
  /** `24.1.0` */
  readonly node: string;
  readonly versions: {
    readonly v8: string;
    readonly uv: string;
    /** Null where it cannot be told, as in a bundle. */
    readonly holdfast: string | null;
  };
  readonly platform: string;
  readonly arch: string;
  /** When the process began, in ms since the epoch. */
  readonly startedAt: number;
  readonly uptimeMs: number;
  readonly loop: {
    /** Null where nothing could be measured yet. */
    readonly delay: LoopDelay | null;
    /** Which share of the process's life its loop was busy, from 0 to 1. */
    readonly utilization: number;
  };
  /** In bytes. */
  readonly memory: {
    readonly rss: number;
    readonly heapTotal: number;
    readonly heapUsed: number;
    readonly external: number;
    readonly arrayBuffers: number;
  };
  readonly roots: readonly { readonly path: string; readonly state: ScopeState }[];
  readonly tasks: TaskCounts;
  readonly findings: number;
}

/** What of an owner's tasks is not shown. */
export interface Omitted {
  readonly count: number;
  /** How many of each name, the most frequent first; at most ten names. */
  readonly names: Readonly<Record<string, number>>;
}

/** A task with what runs below it. */
export interface TaskBranch extends TaskInfo {
  readonly tasks: readonly TaskBranch[];
  readonly scopes: readonly ScopeBranch[];
  /** Absent where all is shown. */
  readonly omitted?: Omitted;
  /** How many scopes of its group are not shown; absent where all are. */
  readonly omittedScopes?: number;
}

/** A scope with what runs in it. */
export interface ScopeBranch {
  readonly name: string;
  readonly path: string;
  readonly state: ScopeState;
  readonly attributes: Attributes;
  readonly tasks: readonly TaskBranch[];
  readonly scopes: readonly ScopeBranch[];
  /** Absent where all is shown. */
  readonly omitted?: Omitted;
  /** How many child scopes are not shown; absent where all are. */
  readonly omittedScopes?: number;
}

/** `GET /tree`. */
export interface TreeAnswer extends Answer {
  readonly roots: readonly ScopeBranch[];
}

/** `GET /tasks`. */
export interface TasksAnswer extends Answer {
  /** The live ones, then the records of the ended, newest first. */
  readonly tasks: readonly TaskInfo[];
  /** There are more of what was asked for. */
  readonly more: boolean;
}

/** `GET /tasks/:id`. */
export interface TaskAnswer extends Answer {
  /** A live task with what is below it; of an ended one its record. */
  readonly task: TaskBranch;
}

/** `GET /findings`. */
export interface FindingsAnswer extends Answer {
  readonly findings: readonly FindingEvent[];
  /** What nobody caught or handled, the newest last; told by processes that were started with `holdfast/register`. */
  readonly failures?: readonly JournalFailure[];
}

/** How the heap was before its garbage was collected, and after, in bytes. */
export interface Collected {
  readonly ms: number;
  readonly before: number;
  readonly after: number;
}

/** `POST /check`, when it has looked. */
export interface CheckAnswer extends FindingsAnswer {
  /** Absent where no garbage was to be collected. */
  readonly collected?: Collected;
}

/** `GET /stats`. */
export interface StatsAnswer extends Answer {
  readonly roots: readonly ScopeStats[];
}

/** A queue of durable jobs that is open in the process. */
export interface QueueInfo {
  /** Of its scope: the attempts that run here are tasks below it. */
  readonly path: string;
  readonly state: ScopeState;
  /** Its engine and where it keeps the jobs: `sqlite /srv/courier.db`. */
  readonly engine: string;
  /** The names of the jobs that it runs here: none where it only enqueues, or has stopped. */
  readonly jobs: readonly string[];
  /** How many attempts run here, and how many may. */
  readonly running: number;
  readonly concurrency: number;
  /** Of all jobs in the store, whoever runs them. */
  readonly stats?: JobStats;
  /** In place of `stats`: why the engine does not tell. */
  readonly error?: ErrorInfo;
}

/** `GET /jobs`. */
export interface JobsAnswer extends Answer {
  readonly queues: readonly QueueInfo[];
}

/** `POST /cancel`, when all has ended. */
export interface CancelAnswer extends Answer {
  readonly cancelled: readonly TaskInfo[];
}

/** `POST /drain`, when it has begun. */
export interface DrainAnswer extends Answer {
  readonly draining: readonly string[];
}

/** The answers in JSON, by path. */
interface Answers {
  readonly "/": WelcomeAnswer;
  readonly "/info": InfoAnswer;
  readonly "/tree": TreeAnswer;
  readonly "/tasks": TasksAnswer;
  readonly "/findings": FindingsAnswer;
  readonly "/stats": StatsAnswer;
  readonly "/jobs": JobsAnswer;
  readonly "/cancel": CancelAnswer;
  readonly "/check": CheckAnswer;
  readonly "/drain": DrainAnswer;
}

/** What can be asked for JSON. */
export type AskedPath = keyof Answers | `/tasks/${number}`;

/** What is answered there. */
export type AnswerOf<P extends AskedPath> = P extends keyof Answers ? Answers[P] : TaskAnswer;

/** What goes wrong with a question. */
export interface RefusalAnswer {
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Of an unknown route: which there are. */
    readonly routes?: readonly RouteInfo[];
    /** Of something that is not unique: what it may be; at most 20. */
    readonly candidates?: readonly TaskInfo[];
  };
}

/** The first message of `GET /events`: from here on nothing is missed. */
export interface HelloMessage extends Answer {
  readonly name: string;
  readonly pid: number;
  /** What is told. */
  readonly types: readonly ScopeEventName[];
}

/** In place of events that came faster than they were read. */
export interface MissedMessage {
  readonly missed: number;
}

/** What `GET /events` says: the name of the message, and its data. */
export type StreamMessage =
  | { readonly event: "hello"; readonly data: HelloMessage }
  | { readonly event: "missed"; readonly data: MissedMessage }
  | { [E in ScopeEventName]: { readonly event: E; readonly data: ScopeEventOf<E> } }[ScopeEventName];
