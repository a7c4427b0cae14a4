import { Contexts } from "./contexts.ts";
import type { Dump } from "./dump.ts";
import { Locations } from "./locations.ts";
import { paintWith } from "./paint.ts";
import type { Paint } from "./paint.ts";
import type { Selection } from "./selection.ts";
import { stackLines } from "./text-stacks.ts";
import { treeLines } from "./text-tree.ts";
import { clean, count, many } from "./words.ts";

/** What `toText` is asked for. */
export interface TextOptions extends Selection {
  /** The logical tree from its roots, instead of groups of stacks. @default false */
  readonly tree?: boolean | undefined;
  /** A line of source below each function, instead of below the innermost ones only. @default false */
  readonly source?: boolean | undefined;
  /** Whether to go through source maps. @default true */
  readonly maps?: boolean | undefined;
  /** Colours, for a terminal. @default false */
  readonly colours?: boolean | undefined;
  /** How many columns a line may have; names of files are never cut. @default 80 */
  readonly columns?: number | undefined;
  /** Files below this folder are named from there. @default all by their whole path */
  readonly from?: string | undefined;
}

/** No more groups of stacks, or lines of a tree, than this, if nothing else is said. */
const DEFAULT_GROUPS = 40;
const DEFAULT_TREE_LINES = 200;
/** Of those who warn alike, so many are named. */
const MAX_WARNINGS = 10;
const MIN_COLUMNS = 40;

/** What the printers of stacks and of trees work with. */
export interface Page {
  readonly dump: Dump;
  readonly options: TextOptions;
  readonly limit: number;
  readonly columns: number;
  readonly locations: Locations;
  readonly contexts: Contexts;
  readonly paint: Paint;
  /** Whether the process has tasks of holdfast at all: then what is under none is told. */
  readonly hasTasks: boolean;
}

/**
 * Makes a text of a dump for people: what `holdfast dump` prints, with a newline at its end. Reads source maps and the
 * files of the process, so call it while the process lives; what cannot be read is left out. What comes from the
 * process is made harmless for a terminal.
 *
 * @example
 * console.log(toText(await dump({ pid: 4242 }), { tree: true, colours: process.stdout.isTTY }));
 */
export function toText(dump: Dump, options: TextOptions = {}): string {
  const page: Page = {
    dump,
    options,
    limit: options.limit ?? (options.tree === true ? DEFAULT_TREE_LINES : DEFAULT_GROUPS),
    columns: Math.max(options.columns ?? 80, MIN_COLUMNS),
    locations: new Locations(dump.target.pid, options.maps ?? true),
    contexts: new Contexts(dump),
    paint: paintWith(options.colours ?? false),
    hasTasks: dump.graph.functions.some(({ task }) => task !== undefined),
  };
  const body = options.tree === true ? treeLines(page) : stackLines(page);
  return [...header(page), ...(body.length === 0 ? [] : ["", ...body]), ...warnings(page), ""].join("\n");
}

function header({ dump, options, paint }: Page): string[] {
  const { target, graph, groups } = dump;
  const node = target.node === undefined ? "an unknown Node" : `Node ${clean(target.node)}`;
  const ran = target.wasIdle ? "idle while it was read" : "running while it was read";
  const stacks = options.tree === true ? "" : ` in ${many(groups.length, "different stack")}`;
  return [
    paint.heading(`process ${target.pid}, ${node}, ${ran}`),
    `${many(graph.functions.length, "suspended async function")}${graph.functions.length === 0 ? "" : stacks}`,
  ];
}

function warnings({ dump, locations, paint }: Page): string[] {
  const all = [...dump.warnings, ...locations.warnings];
  if (all.length === 0) return [];
  const rest = all.length - MAX_WARNINGS;
  return [
    "",
    ...all.slice(0, MAX_WARNINGS).map((warning) => paint.warning(`! ${clean(warning)}`)),
    ...(rest > 0 ? [paint.warning(`! and ${count(rest)} more like these`)] : []),
  ];
}
