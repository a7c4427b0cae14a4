import { Option, type Command } from "commander";
import { existsSync } from "node:fs";
import type { Engine, JobState, JobSummary, JobStore } from "../jobs/index.ts";
import { JOB_STATES } from "../jobs/record.ts";
import type { Visit } from "../jobs/visit.ts";
import { toCount } from "./arguments.ts";
import { exitCodesText } from "./exit-codes.ts";
import type { failures } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { listLines, recordLines, statsLines } from "./job-text.ts";
import { print } from "./verb.ts";

const STORE = "the file of the SQLite engine, or the URL of a Postgres: postgres://…";

const ENGINE: readonly (keyof typeof failures)[] = [
  "HF_ENGINE_UNAVAILABLE",
  "HF_ENGINE_SCHEMA",
  "HF_ENGINE_CORRUPT",
  "HF_ENGINE_READONLY",
  "HF_ENGINE_BUSY",
  "HF_ENGINE_FULL",
  "HF_ENGINE_UNSURE",
  "HF_ENGINE_FAILED",
];

/** How long `cancel` waits for a job that runs somewhere, in ms. */
const PATIENCE = 10_000;

interface Common {
  readonly schema?: string;
  readonly json?: true;
}

interface ListFlags extends Common {
  readonly state?: JobState;
  readonly name?: string;
  readonly key?: string;
  readonly limit: number;
  readonly after?: string;
}

/** `holdfast jobs ls|show|retry|cancel|dead|stats STORE`. */
export function addJobs(program: Command): void {
  const jobs = program
    .command("jobs")
    .description("look at durable jobs, whether or not a worker runs; retry or cancel them")
    .usage("<ls|show|dead|stats|retry|cancel> <store> [options]")
    .helpCommand(false)
    .showHelpAfterError("(holdfast help jobs tells what can be asked)")
    .addHelpText(
      "after",
      exitCodesText("printed, or done", ["HF_JOB_UNKNOWN", "HF_JOB_STATE", ...ENGINE]) +
        "\nEach takes --json, and tells more with --help.\n",
    );
  const add = (name: string, description: string): Command =>
    jobs
      .command(name)
      .description(description)
      .argument("<store>", STORE)
      .addOption(new Option("--schema <name>", "the schema of the Postgres engine"))
      .option("--json", "plain data");
  for (const [name, description, state] of [
    ["ls", "list jobs, the newest first", undefined],
    ["dead", "list what has failed for good, the newest first", "failed"],
  ] as const) {
    const command = add(name, description);
    if (state === undefined)
      command.addOption(new Option("--state <state>", "only these").choices(JOB_STATES));
    command
      .option("--name <name>", "only jobs of this name")
      .option("--key <key>", "only jobs with this key")
      .option("--limit <n>", "no more than this", toCount, 50)
      .option("--after <cursor>", "the page after this, which the page before has told")
      .action((store: string, flags: ListFlags) =>
        list(store, state === undefined ? flags : { ...flags, state }),
      );
  }
  add("show", "print all that is known of one job: attempts, steps, log")
    .argument("<id>", "its id, as ls prints it")
    .action(show);
  add("stats", "count jobs, by name and state").action(stats);
  add("retry", "run jobs again that failed or were cancelled")
    .argument("[ids...]", "their ids")
    .option("--dead", "all that have failed; with --name, of that name")
    .option("--name <name>", "with --dead: only jobs of this name")
    .option("--from-start", "do steps again that were done")
    .action(retry);
  add("cancel", "cancel a job, and wait until it has stopped")
    .argument("<id>", "its id, as ls prints it")
    .option("--reason <text>", "what is written down as the reason")
    .action(cancel);
}

async function list(store: string, flags: ListFlags): Promise<void> {
  const { state, name, key, after, limit } = flags;
  await within(store, flags, async ({ store: jobs, at }) => {
    const query = {
      limit,
      ...(state !== undefined && { state }),
      ...(name !== undefined && { name }),
      ...(key !== undefined && { key }),
      ...(after !== undefined && { after }),
    };
    const page = await jobs.list(query);
    print(page, flags.json === true, (how) =>
      page.jobs.length === 0 ? ["there are no such jobs"] : listLines(page.jobs, page.next, at, how),
    );
  });
}

async function show(store: string, id: string, flags: Common): Promise<void> {
  await within(store, flags, async ({ store: jobs, at }) => {
    const record = await jobs.get(id);
    if (record === undefined) throw unknown(id);
    print(record, flags.json === true, (how) => recordLines(record, at, how));
  });
}

async function stats(store: string, flags: Common): Promise<void> {
  await within(store, flags, async ({ store: jobs, at }) => {
    const counts = await jobs.stats();
    print(counts, flags.json === true, (how) => statsLines(counts, at, how));
  });
}

interface RetryFlags extends Common {
  readonly dead?: true;
  readonly name?: string;
  readonly fromStart?: true;
}

async function retry(
  store: string,
  ids: readonly string[],
  flags: RetryFlags,
  command: Command,
): Promise<void> {
  if ((flags.dead === true) === ids.length > 0)
    command.error("error: say which: by their ids, or all with --dead");
  const { whyNoRetry } = await import("../jobs/visit.ts");
  await within(store, flags, async ({ store: jobs }) => {
    const retried: string[] = [];
    for (const id of flags.dead === true ? await deadOf(jobs, flags.name) : ids) {
      const isQueued = await jobs.retry(id, flags.fromStart === true);
      if (isQueued === true) retried.push(id);
      else if (flags.dead !== true) {
        const record = await jobs.get(id);
        if (record === undefined) throw unknown(id);
        throw new Failure("HF_JOB_STATE", `${record.name} ${id} ${whyNoRetry(record.state)}`);
      }
    }
    print({ retried }, flags.json === true, () => [
      retried.length === 0 ? "there is nothing to retry" : `queued again: ${retried.join(", ")}`,
    ]);
  });
}

/** The ids of all that has failed, oldest first: in that order they are queued. */
async function deadOf(jobs: JobStore, name: string | undefined): Promise<string[]> {
  const dead: JobSummary[] = [];
  for (let after: string | undefined; ;) {
    const page = await jobs.list({
      state: "failed",
      limit: 1000,
      ...(name !== undefined && { name }),
      ...(after !== undefined && { after }),
    });
    dead.push(...page.jobs);
    after = page.next;
    if (after === undefined) return dead.reverse().map(({ id }) => id);
  }
}

async function cancel(
  store: string,
  id: string,
  flags: Common & { readonly reason?: string },
): Promise<void> {
  const { cancelledInfo } = await import("../jobs/errors.ts");
  await within(store, flags, async ({ store: jobs, at, untilEnded }) => {
    const before = await jobs.cancel(id, cancelledInfo(flags.reason ?? "holdfast jobs cancel"));
    if (before === undefined) throw unknown(id);
    if (before === "running") await untilEnded(id, PATIENCE);
    const record = await jobs.get(id);
    if (record === undefined) throw unknown(id);
    if (record.state === "running")
      throw new Failure(
        "HF_JOB_STATE",
        `${record.name} ${id} is asked to stop, and has not yet: it runs at ${record.worker ?? "a worker"}`,
      );
    print(record, flags.json === true, (how) => recordLines(record, at, how));
  });
}

/** Opens the store for as long as `use` takes. */
async function within(
  store: string,
  { schema }: Common,
  use: (visit: Visit) => Promise<void>,
): Promise<void> {
  const { visit } = await import("../jobs/visit.ts");
  const visiting = await visit(await engineOf(store, schema));
  try {
    await use(visiting);
  } finally {
    await visiting.store.close();
  }
}

async function engineOf(store: string, schema: string | undefined): Promise<Engine> {
  if (/^postgres(ql)?:\/\//.test(store)) {
    const { postgres } = await import("../jobs/postgres/index.ts");
    return postgres({ connectionString: store, ...(schema !== undefined && { schema }) });
  }
  // The engine would make it: a word mistyped is no new store.
  if (!existsSync(store)) throw new Failure("HF_ENGINE_UNAVAILABLE", `there is no file ${store}`);
  const { sqlite } = await import("../jobs/sqlite/index.ts");
  return sqlite(store);
}

function unknown(id: string): Failure {
  return new Failure("HF_JOB_UNKNOWN", `there is no job ${id}`);
}
