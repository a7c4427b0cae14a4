import type { Command } from "commander";
import type { Omitted, ScopeBranch, TaskBranch, TreeAnswer } from "../agent/answers.ts";
import { clean, count, many } from "../inspect/words.ts";
import { toCount } from "./arguments.ts";
import { lifeText, particulars } from "./task-text.ts";
import { addVerb, tell } from "./verb.ts";
import type { Page } from "./verb.ts";
import { attributesText, cut } from "./words.ts";

/** `holdfast tree PROCESS`. */
export function addTree(program: Command): void {
  addVerb(program, "tree", "print what lives in a process, by owner: scopes, tasks, children", {
    ok: "printed",
  })
    .option("--each <n>", "no more than so many tasks of each owner; the rest is counted", toCount, 20)
    .option("--limit <n>", "no more than so many tasks and scopes in all", toCount, 500)
    .action((who: string, { each, limit, json }: { each: number; limit: number; json?: true }) =>
      tell(who, "/tree", { each, limit }, json === true, treeLines),
    );
}

/** A line on its way to the page. */
type Branch =
  | { readonly scope: ScopeBranch; readonly prefix: string; readonly corner: string }
  | { readonly task: TaskBranch; readonly prefix: string; readonly corner: string }
  | { readonly rest: string; readonly prefix: string; readonly corner: string };

/** What lives, as a tree of lines. */
export function treeLines({ roots, at }: TreeAnswer, page: Page): string[] {
  if (roots.length === 0) return ["no scope is open"];
  const lines: string[] = [];
  const open: Branch[] = roots.map((scope) => ({ scope, prefix: "", corner: "" })).reverse();
  // With a stack of its own: what users nest may be deep.
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    lines.push(lineOf(next, at, page));
    if ("rest" in next) continue;
    const { corner } = next;
    const prefix = next.prefix + (corner === "" ? "" : corner.startsWith("└") ? "   " : "│  ");
    const node = "scope" in next ? next.scope : next.task;
    const below = [
      ...node.tasks.map((task) => ({ task })),
      ...node.scopes.map((scope) => ({ scope })),
      ...restOf(node).map((rest) => ({ rest })),
    ];
    const branches = below.map((one, place) => ({
      ...one,
      prefix,
      corner: place === below.length - 1 ? "└─ " : "├─ ",
    }));
    open.push(...branches.reverse());
  }
  return lines;
}

function lineOf(branch: Branch, at: number, { paint, width }: Page): string {
  const before = branch.prefix + branch.corner;
  if ("rest" in branch) return before + paint.faint(branch.rest);
  if ("scope" in branch) {
    const { name, state, attributes } = branch.scope;
    const marks = [state === "open" ? "" : paint.warning(`(${state})`), attributesText(attributes)];
    return [`${before}${paint.heading(`${clean(name)}/`)}`, ...marks].filter((word) => word !== "").join(" ");
  }
  const { task } = branch;
  const name = clean(task.name);
  const plain = { ...paint, task: same, warning: same, faint: same };
  const used = `${before}${name} #${task.id} ${lifeText(task, at, plain)}  `.length;
  const more = particulars(task);
  const room = width === undefined ? Infinity : width - used;
  const tail = more === "" || room < 8 ? "" : `  ${cut(more, room)}`;
  return `${before}${paint.name(name)} ${paint.faint(`#${task.id}`)} ${lifeText(task, at, paint)}${tail}`;
}

const same = (text: string): string => text;

function restOf({ omitted, omittedScopes }: ScopeBranch | TaskBranch): string[] {
  return [
    ...(omitted === undefined ? [] : [`… ${many(omitted.count, "more task")}: ${namesOf(omitted)}`]),
    ...(omittedScopes === undefined ? [] : [`… ${many(omittedScopes, "more scope")}`]),
  ];
}

function namesOf({ count: all, names }: Omitted): string {
  const entries = Object.entries(names);
  const named = entries.reduce((sum, [, number]) => sum + number, 0);
  const words = entries.map(([name, number]) => `${clean(name)} × ${count(number)}`);
  return [...words, ...(named < all ? [`others × ${count(all - named)}`] : [])].join(", ");
}
