import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { describe, expect, onTestFinished, test } from "vitest";
import { readDump } from "../../src/inspect/reading.ts";
import { judge } from "./load-truth.ts";
import type { Judged, LoadTruth } from "./load-truth.ts";
import { fixture, nodes } from "./programs.ts";

/*
 * A process that makes 200,000 async calls a second, and whose collections move its functions about while they are
 * read. What is called exact must be so, and nearly all that has been waiting for a second must be called exact.
 */

/** So many in every run, on two Nodes together; `HOLDFAST_DUMPS=1000` makes more, on all of them. */
const DUMPS = Number(process.env["HOLDFAST_DUMPS"] ?? 30);
const isLong = process.env["HOLDFAST_DUMPS"] !== undefined;
const NODES = nodes().filter(([name]) => isLong || name === "this Node" || name === "node26");
/** Of the functions that have been waiting for longer than a second. */
const ENOUGH = 0.95;

/** What a process is asked to do: calls a second; how often it collects, in ms; how many it keeps waiting. */
interface Load {
  readonly calls: number;
  readonly minor: number;
  readonly full: number;
  readonly units: number;
  readonly brief: number;
  readonly cached: number;
}

/** 200,000 calls a second fill the young generation as often as it is collected here. */
const USUAL: Load = { calls: 200_000, minor: 20, full: 500, units: 15, brief: 6, cached: 50_000 };

class Target {
  readonly process: ChildProcess;

  private constructor(node: string, load: Load) {
    this.process = fork(fixture("load.mjs"), [JSON.stringify(load)], {
      execPath: node,
      execArgv: ["--expose-gc"],
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  static async start(node: string, load: Load): Promise<Target> {
    const target = new Target(node, load);
    await once(target.process, "message");
    return target;
  }

  /** Dumps it, then asks it what was true meanwhile. */
  async dump(): Promise<Judged & { readonly truth: LoadTruth }> {
    const from = now();
    const dump = readDump(this.process.pid as number);
    const to = now();
    const answer = once(this.process, "message");
    this.process.send(from);
    const [truth] = (await answer) as [LoadTruth];
    return { ...judge(dump, truth, from, to), truth };
  }
}

/** The clock of all processes of one machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** So many dumps of one process: what was wrong, and what was there. */
async function dumps(target: Target, count: number) {
  const wrong: string[] = [];
  const sum = { said: 0, lasting: 0, exact: 0, changing: 0, missing: 0 };
  let worst = 1;
  let truth: LoadTruth | undefined;
  for (let index = 0; index < count; index++) {
    const judged = await target.dump();
    // At once: of a long run one wants to know while it runs.
    if (judged.wrong.length > 0) console.log(`dump ${index}:\n${judged.wrong.slice(0, 20).join("\n")}`);
    wrong.push(...judged.wrong);
    for (const key of ["said", "lasting", "exact", "changing", "missing"] as const) sum[key] += judged[key];
    worst = Math.min(worst, judged.exact / judged.lasting);
    truth = judged.truth;
  }
  const share = sum.exact / sum.lasting;
  return { wrong, share, summary: summaryOf(count, sum, worst, wrong, truth) };
}

function summaryOf(
  count: number,
  { said, lasting, exact, changing, missing }: Omit<Judged, "wrong">,
  worst: number,
  wrong: readonly string[],
  truth: LoadTruth | undefined,
): string {
  const { made = 0, running = 1, collected = { minor: 0, full: 0 } } = truth ?? {};
  const each = (times: number): string => `${Math.round(running / times)} ms`;
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  return (
    `${count} dumps at ${Math.round(made / running)},000 calls a second, a young collection each ` +
    `${each(collected.minor)} and a full one each ${each(collected.full)}: of ${lasting} functions that waited for ` +
    `over a second ${exact} exact (${percent(exact / lasting)}, in the worst dump ${percent(worst)}), ` +
    `${changing} changing, ${missing} missing; of ${said} that were called exact ${wrong.length} wrong`
  );
}

describe.skipIf(process.platform !== "linux")("a dump of a process under load", () => {
  test.each(NODES)(
    "is right in all that it calls exact, and has nearly all that waits, on %s",
    async (name, node) => {
      const target = await Target.start(node, USUAL);
      const { wrong, share, summary } = await dumps(target, Math.ceil(DUMPS / NODES.length));
      console.log(`${name}: ${summary}`);
      expect(wrong).toEqual([]);
      expect(share).toBeGreaterThanOrEqual(ENOUGH);
    },
    3_600_000,
  );

  test.each(NODES)(
    "is right where the process is kept from running in the middle of collections, on %s",
    async (name, node) => {
      const target = await Target.start(node, { ...USUAL, full: 75 });
      const throttle = fork(fixture("throttle.cjs"), [String(target.process.pid)]);
      onTestFinished(() => void throttle.kill("SIGKILL"));
      const { wrong, summary } = await dumps(target, Math.ceil(DUMPS / NODES.length / 3));
      console.log(`${name}, throttled: ${summary}`);
      expect(wrong).toEqual([]);
    },
    3_600_000,
  );
});
