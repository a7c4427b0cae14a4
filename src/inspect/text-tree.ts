import type { SuspendedFunction } from "./graph.ts";
import { matcher } from "./selection.ts";
import type { Page } from "./text.ts";
import { Tree } from "./tree.ts";
import type { TreeNode } from "./tree.ts";
import { clean, count, excerpt, isNodes, many, marksOf, nameOf, placeOf } from "./words.ts";

/** Deeper functions are indented no further: they say how deep they are. */
const MAX_INDENT = 16;
/** Deeper ones are not shown. */
const MAX_DEPTH = 60;

/** Who awaits nobody's result at the top, what each waits for indented below. */
export function treeLines(page: Page): string[] {
  const { dump, options, contexts, paint } = page;
  const tree = new Tree(dump.graph.functions);
  const isWanted = wanted(tree, page);
  const take = (nodes: readonly TreeNode[]): TreeNode[] =>
    nodes
      .map(({ members, depth }) => ({ members: members.filter(isWanted), depth }))
      .filter(({ members }) => members.length >= (options.minCount ?? 1));
  const roots = take(tree.roots(isNodes));
  const lines: string[] = [];
  const shown = new Set<SuspendedFunction>();
  let left = page.limit === 0 ? Number.POSITIVE_INFINITY : page.limit;
  for (const heading of contexts.headings) {
    const here = roots.filter(({ members }) => contexts.headingOf(members) === heading);
    if (here.length === 0 || left <= 0) continue;
    if (lines.length > 0) lines.push("");
    if (heading !== "") lines.push(paint.heading(heading));
    const branches = here
      .reverse()
      .map((node): Branch => ({ node, prefix: "", isLast: false, task: undefined }));
    for (let next = branches.pop(); next !== undefined && left > 0; next = branches.pop(), left--) {
      const below = tree.below(next.node);
      for (const member of next.node.members) shown.add(member);
      lines.push(...nodeLines(next, below === undefined, page));
      const children = next.node.depth + 1 > MAX_DEPTH ? [] : take(below ?? []);
      branches.push(...branchesOf(next, children));
    }
  }
  if (roots.length === 0 && dump.graph.functions.length > 0) lines.push("no function is as it was asked for");
  return [
    ...lines,
    ...rest(
      dump.graph.functions.filter((one) => isWanted(one) && !shown.has(one)),
      page,
    ),
  ];
}

/** One node on its way to the page. */
interface Branch {
  readonly node: TreeNode;
  /** What stands before its lines, without its own corner. */
  readonly prefix: string;
  readonly isLast: boolean;
  /** The task of the function above. */
  readonly task: string | undefined;
}

/** In reverse: the first is taken from the end. */
function branchesOf({ node, prefix, isLast, task: above }: Branch, children: readonly TreeNode[]): Branch[] {
  const stem = node.depth === 0 ? "" : isLast ? "  " : "│ ";
  const inner = node.depth > MAX_INDENT ? prefix : prefix + stem;
  // Async generators tell of no task: they are in that of whoever awaits them.
  const task = node.members[0]?.task?.path ?? above;
  return children
    .map((child, index) => ({ node: child, prefix: inner, isLast: index === children.length - 1, task }))
    .reverse();
}

function nodeLines({ node, prefix, isLast, task }: Branch, isKnown: boolean, page: Page): string[] {
  const { locations, options, columns, paint } = page;
  const { members, depth } = node;
  const [one] = members;
  if (one === undefined) return [];
  const corner = depth === 0 ? "" : isLast ? "└ " : "├ ";
  const stem = depth === 0 ? "" : isLast ? "  " : "│ ";
  const isFaint = isNodes(one);
  const parts: Part[] = [
    ...(depth > MAX_INDENT ? [{ text: `[${depth}]`, paint: paint.faint, gap: 1 }] : []),
    ...(members.length > 1 ? [{ text: `${count(members.length)} ×`, paint: paint.heading, gap: 1 }] : []),
    { text: nameOf(one, locations), paint: isFaint ? paint.faint : paint.name },
    { text: placeOf(locations.of(one), options.from), paint: isFaint ? paint.faint : (text) => text },
    ...marks(one, isKnown, page),
    ...owner(one, task, depth, page),
  ];
  const first = prefix + corner;
  const next = `${prefix}${stem}  `;
  const lines = wrap(parts, columns - next.length - 2).map(
    (line, index) => paint.faint(index === 0 ? first : next) + line,
  );
  const source = options.source === true ? locations.sourceLineOf(one) : undefined;
  if (source !== undefined && source.trim() !== "") {
    const text = excerpt(source, locations.of(one).column ?? 1, Math.max(20, columns - next.length - 2));
    lines.push(paint.faint(`${next}  ${text}`));
  }
  return lines;
}

interface Part {
  readonly text: string;
  readonly paint: (text: string) => string;
  /** How far the next part is from it. @default 2 */
  readonly gap?: number;
}

function marks(one: SuspendedFunction, isKnown: boolean, { paint }: Page): Part[] {
  const text = `${marksOf(one)}${isKnown ? " (see above)" : ""}`.trim();
  return text === "" ? [] : [{ text, paint: paint.warning }];
}

/** The task of a function, where it is not that of the one above. */
function owner(one: SuspendedFunction, above: string | undefined, depth: number, page: Page): Part[] {
  const { hasTasks, paint } = page;
  if (one.task !== undefined)
    return one.task.path === above ? [] : [{ text: clean(one.task.path), paint: paint.task }];
  return hasTasks && depth === 0 ? [{ text: "unowned", paint: paint.warning }] : [];
}

/** As many parts on a line as fit; one that is longer has a line of its own. */
function wrap(parts: readonly Part[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  let length = 0;
  let gap = 0;
  for (const { text, paint, gap: after = 2 } of parts) {
    if (length > 0 && length + gap + text.length > width) {
      lines.push(line);
      line = paint(text);
      length = text.length;
    } else {
      line += " ".repeat(gap) + paint(text);
      length += gap + text.length;
    }
    gap = after;
  }
  return [...lines, line];
}

/** Which functions the filter leaves: those that match, with all above and below them. */
function wanted(tree: Tree, { dump, options, locations }: Page): (one: SuspendedFunction) => boolean {
  const { filter = "" } = options;
  if (filter === "") return () => true;
  const around = tree.around(dump.graph.functions.filter(matcher(filter, locations)));
  return (one) => around.has(one);
}

function rest(missing: readonly SuspendedFunction[], { paint }: Page): string[] {
  const nodes = missing.filter(isNodes).length;
  const others = missing.length - nodes;
  return [
    ...(nodes === 0
      ? []
      : ["", paint.faint(`not shown: ${many(nodes, "function")} of Node's own around these`)]),
    ...(others === 0
      ? []
      : ["", paint.faint(`not shown: ${many(others, "function")} (--limit 0 shows all, --filter some)`)]),
  ];
}
