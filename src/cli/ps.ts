import type { Command } from "commander";
import type { InfoAnswer } from "../agent/answers.ts";
import type { AgentClient } from "../agent/client.ts";
import { paintWith } from "../inspect/paint.ts";
import { clean } from "../inspect/words.ts";
import { exitCodesText } from "./exit-codes.ts";
import type { NodeProcess } from "./node-processes.ts";
import { terminalOf } from "./terminal.ts";
import { PATIENCE } from "./who.ts";
import { age, table } from "./words.ts";

/** A line of `holdfast ps`. */
interface Row {
  readonly pid: number;
  /** Of `main()`; else its command. */
  readonly name: string;
  /** In ms; undefined where it is not known. */
  readonly ageMs: number | undefined;
  /** `silent`: an agent that does not answer in time; `none`: it can only be dumped. */
  readonly agent: "answers" | "silent" | "none";
  readonly info?: InfoAnswer;
}

/** `holdfast ps`. */
export function addPs(program: Command): void {
  program
    .command("ps")
    .description("list the Node processes of this user, and how those do that can be asked")
    .option("--agents", "only those that can be asked")
    .option("--quiet", "only their pids")
    .option("--json", "plain data")
    .addHelpText("after", exitCodesText("listed", ["HF_FOLDER_REFUSED"]))
    .action(listProcesses);
}

async function listProcesses(flags: { agents?: true; quiet?: true; json?: true }): Promise<void> {
  const out = terminalOf(process.stdout);
  const rows = await findRows(flags.agents === true);
  if (flags.quiet === true) out.write(rows.map(({ pid }) => `${pid}\n`).join(""));
  else if (flags.json === true) out.write(`${JSON.stringify(toJson(rows), undefined, 2)}\n`);
  else if (rows.length === 0) out.write("no Node process of this user\n");
  else out.write(`${toLines(rows, out.columns, out.colours).join("\n")}\n`);
}

async function findRows(onlyAgents: boolean): Promise<Row[]> {
  const { AgentClient: Client } = await import("../agent/client.ts");
  const agents = (await Promise.all(Client.list().map(askAgent))).filter((row) => row !== undefined);
  if (onlyAgents) return agents;
  const { nodeProcesses } = await import("./node-processes.ts");
  const known = new Set(agents.map(({ pid }) => pid));
  const { ageOf } = await import("../agent/folder.ts");
  const toRow = ({ pid, command }: NodeProcess): Row => ({
    pid,
    name: command,
    ageMs: ageOf(pid),
    agent: "none",
  });
  const others = nodeProcesses().filter(({ pid }) => !known.has(pid));
  return [...agents, ...others.map(toRow)];
}

/** Undefined where the process has gone. */
async function askAgent(agent: AgentClient): Promise<Row | undefined> {
  const { pid } = agent;
  try {
    const info = await agent.ask("/info", { within: PATIENCE });
    return { pid, name: info.name, ageMs: info.uptimeMs, agent: "answers", info };
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string };
    if (name !== "AgentError") throw error;
    return code === "HF_NO_AGENT" ? undefined : { pid, name: "?", ageMs: undefined, agent: "silent" };
  }
}

function toJson(rows: readonly Row[]): object {
  return {
    schema: 1,
    processes: rows.map(({ pid, name, ageMs, agent, info }) => ({
      pid,
      name,
      ageMs: ageMs ?? null,
      agent,
      ...(info === undefined
        ? {}
        : {
            tasks: info.tasks,
            findings: info.findings,
            loop: info.loop,
            memory: info.memory,
            node: info.node,
          }),
    })),
  };
}

const COLUMNS = [
  { title: "PID", right: true },
  { title: "AGE", right: true },
  { title: "TASKS", right: true },
  { title: "FINDINGS", right: true },
  { title: "LOOP P99", right: true },
  { title: "NAME" },
];
const FINDINGS = 3;
const NAME = 5;

function toLines(rows: readonly Row[], width: number | undefined, colours: boolean): string[] {
  const paint = paintWith(colours);
  const cells = rows.map(({ pid, name, ageMs, agent, info }) => {
    const old = ageMs === undefined ? "?" : age(ageMs);
    if (info === undefined)
      return [String(pid), old, "-", "-", agent === "silent" ? "silent" : "dump only", clean(name)];
    const { tasks, findings, loop } = info;
    const late = loop.delay === null ? "?" : `${loop.delay.p99.toFixed(1)} ms`;
    return [String(pid), old, String(tasks.live), String(findings), late, clean(name)];
  });
  const lines = table(COLUMNS, cells, {
    width,
    paint: (text, column, row) => {
      if (row === -1) return paint.heading(text);
      if (rows[row]?.agent === "none") return paint.faint(text);
      if (column === FINDINGS && text !== "0" && text !== "-") return paint.warning(text);
      return column === NAME ? paint.name(text) : text;
    },
  });
  const silent = rows.filter(({ agent }) => agent === "silent").map(({ pid }) => pid);
  if (silent.length === 0) return lines;
  return [
    ...lines,
    "",
    `silent: its event loop is blocked, or it is stopped; where it stands says holdfast dump ${silent.join(", ")}`,
  ];
}
