import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { wall } from "../core/clock.ts";
import { outside } from "../core/context.ts";
import { taskInfo } from "../core/describe.ts";
import { kinds } from "../core/events.ts";
import type { FindingEvent, ScopeEventName, TaskInfo } from "../core/info.ts";
import { handleOf } from "../core/task-handle.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { TaskState } from "../core/words.ts";
import { openQueues } from "../jobs/open-queues.ts";
import type { JournalFailure } from "../watch/journal/format.ts";
import { SCHEMA } from "./answers.ts";
import { collectGarbage } from "./garbage.ts";
import type {
  Answer, CancelAnswer, CheckAnswer, DrainAnswer, FindingsAnswer, InfoAnswer, JobsAnswer, RouteInfo, StatsAnswer, TaskAnswer, TasksAnswer, TreeAnswer,
  WelcomeAnswer,
} from "./answers.ts"; // prettier-ignore
import { EventStream } from "./event-stream.ts";
import type { Listen } from "./event-stream.ts";
import type { LoopMeter } from "./loop-meter.ts";
import { toMetrics } from "./metrics.ts";
import type { Question } from "./question.ts";
import { queueInfo } from "./queues.ts";
import { Refusal } from "./refusal.ts";
import type { Roots } from "./roots.ts";
import { scopeBranches, taskBranch } from "./tree.ts";

/** What routes tell of. */
export interface Subject {
  readonly name: string;
  readonly roots: Roots;
  readonly meter: LoopMeter;
  readonly findings: () => readonly FindingEvent[];
  readonly failures: () => readonly JournalFailure[];
  readonly look: () => Promise<void>;
  readonly drain: (reason: string) => void;
  readonly listen: Listen;
  readonly heartbeat: number;
  readonly buffer: number;
}

/** An answer that is not JSON. */
interface TextAnswer {
  readonly type: string;
  readonly text: string;
}

/** A route. `answer` gives what goes out as JSON, or a text; or it has answered by itself, then it gives undefined. */
export interface Route extends RouteInfo {
  readonly status?: number;
  readonly answer: (
    subject: Subject,
    question: Question,
    response: ServerResponse,
  ) => object | TextAnswer | undefined | Promise<object | TextAnswer>;
}

const TYPES = Object.keys(kinds) as readonly ScopeEventName[];
const STATES: readonly TaskState[] = [
  "waiting", "running", "retrying", "cancelling", "succeeded", "failed", "cancelled", "lost", "abandoned",
]; // prettier-ignore
/** How many tasks are told of as candidates. */
const MAX_CANDIDATES = 20;
const TREE_BOUNDS = { limit: { fallback: 1000, max: 100_000 }, each: { fallback: 100, max: 100_000 } };

export const ROUTES: readonly Route[] = [
  { method: "GET", path: "/", does: "who answers, and what can be asked", answer: welcome },
  { method: "GET", path: "/info", does: "the process: age, memory, event loop, counts", answer: info },
  { method: "GET", path: "/tree", does: "what lives, by owner (?limit=&each=)", answer: tree },
  { method: "GET", path: "/tasks", does: "live tasks, then records (?limit=&state=&name=&only=)", answer: tasks },
  { method: "GET", path: "/tasks/:id", does: "one task, live or ended", answer: oneTask },
  { method: "GET", path: "/findings", does: "what the watch holds to be wrong", answer: findings },
  { method: "GET", path: "/stats", does: "counts and run times by name", answer: stats },
  { method: "GET", path: "/jobs", does: "the queues of durable jobs that are open here, and their counts", answer: jobs },
  { method: "GET", path: "/metrics", does: "the same for Prometheus", answer: metrics },
  { method: "GET", path: "/dump", does: "where each function waits (?filter=&min-count=&limit=)", answer: dump },
  { method: "GET", path: "/events", does: "what happens, as it happens (?type=&path=)", answer: events },
  { method: "POST", path: "/cancel", does: "cancel { task, reason?, all? }, and wait until it has ended", answer: cancel },
  { method: "POST", path: "/check", does: "look now { gc? }, and tell what is held to be wrong", answer: check },
  { method: "POST", path: "/drain", does: "let it finish and end { reason? }", status: 202, answer: drain },
]; // prettier-ignore

/** The routes as they are told. */
export const routeInfos: readonly RouteInfo[] = ROUTES.map(({ method, path, does }) => ({
  method,
  path,
  does,
}));

/** How every answer begins. */
function head(): Answer {
  return { schema: SCHEMA, at: Math.round(wall()) };
}

function welcome({ name }: Subject, question: Question): WelcomeAnswer {
  question.allow();
  return { ...head(), name, pid: process.pid, routes: routeInfos };
}

async function info(subject: Subject, question: Question): Promise<InfoAnswer> {
  question.allow();
  const { name, roots, meter } = subject;
  await meter.untilMeasured();
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = process.memoryUsage();
  const uptimeMs = Math.round(process.uptime() * 1000);
  const { node, v8, uv } = process.versions;
  return {
    ...head(),
    name,
    pid: process.pid,
    node,
    versions: { v8, uv, holdfast: ownVersion() },
    platform: process.platform,
    arch: process.arch,
    startedAt: Math.round(wall()) - uptimeMs,
    uptimeMs,
    loop: { delay: meter.read(), utilization: meter.utilization },
    memory: { rss, heapTotal, heapUsed, external, arrayBuffers },
    roots: roots.states(),
    tasks: roots.counts(),
    findings: subject.findings().length,
  };
}

let version: string | null | undefined;

function ownVersion(): string | null {
  if (version === undefined) {
    try {
      const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
      const { name, version: own } = JSON.parse(text) as { name?: string; version?: string };
      version = name === "holdfast" && own !== undefined ? own : null;
    } catch {
      version = null;
    }
  }
  return version;
}

function boundsOf(question: Question): { limit: number; each: number } {
  return {
    limit: question.number("limit", TREE_BOUNDS.limit),
    each: question.number("each", TREE_BOUNDS.each),
  };
}

function tree({ roots }: Subject, question: Question): TreeAnswer {
  question.allow("limit", "each");
  return { ...head(), roots: scopeBranches(roots.nodes, boundsOf(question)) };
}

function tasks({ roots }: Subject, question: Question): TasksAnswer {
  question.allow("limit", "state", "name", "only");
  const state = question.choice("state", STATES);
  const limit = question.number("limit", { fallback: 100, max: 10_000 });
  const only = question.choice("only", ["live", "ended"]);
  return { ...head(), ...roots.list({ state, name: question.text("name"), only, limit }) };
}

function oneTask({ roots }: Subject, question: Question): TaskAnswer {
  question.allow("limit", "each");
  const { id = "" } = question.params;
  if (!/^\d+$/.test(id))
    throw new Refusal("HF_BAD_REQUEST", `${JSON.stringify(id)} is no id: it is a number`);
  const live = roots.find(Number(id));
  const records = live.length === 0 ? roots.findRecords(Number(id)) : [];
  if (live.length + records.length > 1) throw ambiguous(`the id ${id}`, [...live.map(taskInfo), ...records]);
  const [task] = live;
  const [record] = records;
  if (task !== undefined) return { ...head(), task: taskBranch(task, boundsOf(question)) };
  if (record !== undefined) return { ...head(), task: { ...record, tasks: [], scopes: [] } };
  throw new Refusal("HF_NO_TASK", `no task has the id ${id}, and none of the newest records has`);
}

function ambiguous(what: string, candidates: readonly TaskInfo[]): Refusal {
  const count = candidates.length;
  return new Refusal("HF_AMBIGUOUS", `${what} fits ${count} tasks`, {
    candidates: candidates.slice(0, MAX_CANDIDATES),
  });
}

function findings(subject: Subject, question: Question): FindingsAnswer {
  question.allow();
  return findingsOf(subject);
}

function findingsOf(subject: Subject): FindingsAnswer {
  const failures = subject.failures();
  return { ...head(), findings: subject.findings(), ...(failures.length > 0 && { failures }) };
}

async function check(subject: Subject, question: Question): Promise<CheckAnswer> {
  question.allow();
  const { gc = false } = await question.body("gc");
  if (typeof gc !== "boolean") throw new Refusal("HF_BAD_REQUEST", "gc has to be true or false");
  // Before: what a sweep has not met yet is not let go of, and so not collected.
  await subject.look();
  if (!gc) return findingsOf(subject);
  const collected = await collectGarbage();
  await subject.look();
  return { ...findingsOf(subject), collected };
}

function stats({ roots }: Subject, question: Question): StatsAnswer {
  question.allow();
  return { ...head(), roots: roots.stats() };
}

async function jobs({ roots }: Subject, question: Question): Promise<JobsAnswer> {
  question.allow();
  const queues = [...openQueues].filter(({ scope }) => roots.has(scope));
  return { ...head(), queues: await Promise.all(queues.map(queueInfo)) };
}

async function metrics(subject: Subject, question: Question): Promise<TextAnswer> {
  question.allow();
  const { roots, meter } = subject;
  await meter.untilMeasured();
  const text = toMetrics({
    stats: roots.stats(),
    findings: subject.findings(),
    delay: meter.read(),
    utilization: meter.utilization,
    rss: process.memoryUsage.rss(),
    uptimeMs: process.uptime() * 1000,
  });
  return { type: "text/plain; version=0.0.4; charset=utf-8", text };
}

async function dump(_subject: Subject, question: Question): Promise<object> {
  question.allow("filter", "min-count", "limit");
  const minCount = question.number("min-count", { fallback: 1, max: 1e9 });
  const limit = question.number("limit", { fallback: 1000, max: 1e6 });
  const filter = question.text("filter");
  try {
    const inspect = await import("../inspect/index.ts");
    return inspect.toJson(await inspect.dump(), { filter, minCount, limit });
  } catch (error) {
    // It refuses, with a code; or it cannot be loaded, as in a bundle.
    const { message, code } = error as { message?: string; code?: string };
    throw new Refusal("HF_NO_DUMP", `${message ?? String(error)}${code === undefined ? "" : ` (${code})`}`);
  }
}

function events(subject: Subject, question: Question, response: ServerResponse): undefined {
  question.allow("type", "path");
  const { name, heartbeat, buffer, listen } = subject;
  const types = question.choices("type", TYPES);
  const path = question.text("path");
  void new EventStream(response, { name, types, path, heartbeat, buffer }, listen);
}

async function cancel({ roots }: Subject, question: Question): Promise<CancelAnswer> {
  question.allow();
  const { task, reason, all = false } = await question.body("task", "reason", "all");
  const which = toWhich(task);
  if (typeof all !== "boolean") throw new Refusal("HF_BAD_REQUEST", "all has to be true or false");
  const found = roots.find(which);
  const what = typeof which === "number" ? `the id ${which}` : `the path ${JSON.stringify(which)}`;
  if (found.length === 0) throw notLive(roots, which, what);
  if (found.length > 1 && !all) throw ambiguous(what, found.map(taskInfo));
  const why = reason === undefined ? "through the agent" : toReason(reason);
  return { ...head(), cancelled: await Promise.all(found.map((node) => cancelOne(node, why))) };
}

async function cancelOne(node: TaskNode, reason: string): Promise<TaskInfo> {
  // Not as a wait of a task: the socket may have been opened from inside of one.
  await outside(() => handleOf(node).cancel(reason));
  return taskInfo(node);
}

function notLive(roots: Roots, which: number | string, what: string): Refusal {
  const [record] = roots.findRecords(which);
  if (record === undefined) {
    const like = typeof which === "number" ? [] : roots.findLike(which);
    const candidates = like.slice(0, MAX_CANDIDATES).map(taskInfo);
    return new Refusal(
      "HF_NO_TASK",
      `no live task has ${what}`,
      candidates.length === 0 ? {} : { candidates },
    );
  }
  return new Refusal("HF_TASK_ENDED", `${record.path} (#${record.id}) has ended: ${record.state}`);
}

/** An id, a path, or an id as text, which is what forms and shells send. */
function toWhich(task: unknown): number | string {
  if (typeof task === "number" && Number.isInteger(task)) return task;
  if (typeof task === "string" && task !== "")
    return /^#?\d+$/.test(task) ? Number(task.replace("#", "")) : task;
  throw new Refusal("HF_BAD_REQUEST", "task has to be the id of a task, or its path");
}

function toReason(reason: unknown): string {
  if (typeof reason === "string") return reason;
  throw new Refusal("HF_BAD_REQUEST", "reason has to be a text");
}

async function drain(subject: Subject, question: Question): Promise<DrainAnswer> {
  question.allow();
  const { reason } = await question.body("reason");
  const why = reason === undefined ? "through the agent" : toReason(reason);
  const draining = subject.roots.states().map(({ path }) => path);
  outside(() => subject.drain(why));
  return { ...head(), draining };
}
