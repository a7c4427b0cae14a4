import type { SuspendedFunction } from "../../../src/inspect/graph.ts";
import type { Truth, TruthNode } from "./nodes.ts";

/** What V8 itself said of a leaf, after the dump, when it went on. */
export interface Captured {
  readonly id: number;
  readonly leaf: Frame;
  /** From the innermost to the outermost. */
  readonly awaiters: readonly Frame[];
}

interface Frame {
  readonly name: string;
  /** Undefined for `eval`. */
  readonly url?: string;
  readonly line: number;
  readonly column: number;
}

/** Functions of Node's own: their URLs begin so. */
const isNodes = ({ script }: SuspendedFunction): boolean => script.url?.startsWith("node:") === true;

/**
 * What differs between a dump and the truth, in lines; none where they agree. Functions are told apart by all that is
 * said of them and of those who await them, to the end of every chain: two that agree in all of that are alike.
 */
export function compare(dump: readonly SuspendedFunction[], { nodes, places }: Truth): string[] {
  const said = new Signatures<TruthNode>(
    ({ name, isGenerator, suspension, mark, url, inWorker }) => {
      const at = places.get(mark);
      // Before its first statement a function stands at its beginning: V8 says so, a program has no word for it.
      const place = suspension === "start" ? "" : `:${at?.line}:${at?.column}`;
      return `${inWorker ? "[worker] " : ""}${isGenerator ? "*" : ""}${name} ${suspension} ${url ?? "eval"}${place}`;
    },
    ({ awaitedBy }) => awaitedBy,
  );
  const seen = new Signatures<SuspendedFunction>(labelOf, awaitersOf);
  const own = dump.filter((one) => !isNodes(one));
  // First by what is said of each alone: where that differs, all who await it would be told as well.
  const alone = differences(
    nodes.map((node) => said.alone(node)),
    own.map((one) => seen.alone(one)),
  );
  if (alone.length > 0) return alone;
  return differences(
    nodes.map((node) => said.of(node)),
    own.map((one) => seen.of(one)),
  );
}

function differences(truth: readonly string[], dump: readonly string[]): string[] {
  const difference = new Map<string, number>();
  for (const signature of truth) difference.set(signature, (difference.get(signature) ?? 0) + 1);
  for (const signature of dump) difference.set(signature, (difference.get(signature) ?? 0) - 1);
  const lines: string[] = [];
  for (const [signature, count] of difference)
    if (count !== 0) lines.push(`${count > 0 ? `missing ${count}` : `extra ${-count}`}: ${signature}`);
  return lines.toSorted();
}

function labelOf({
  name,
  isGenerator,
  suspension,
  script,
  place,
  isolate,
  isChanging,
}: SuspendedFunction): string {
  const at = suspension === "start" ? "" : `:${place?.line}:${place?.column}`;
  return (
    `${isChanging ? "~" : ""}${isolate === 0 ? "" : "[worker] "}${isGenerator ? "*" : ""}${name} ${suspension} ` +
    `${script.url ?? "eval"}${at}`
  );
}

/** Those of the program: through functions of Node's own, on to who awaits those. */
function awaitersOf({ awaitedBy }: SuspendedFunction): Set<SuspendedFunction> {
  const found = new Set<SuspendedFunction>();
  const seen = new Set(awaitedBy);
  for (const one of seen) {
    if (!isNodes(one)) found.add(one);
    else for (const further of one.awaitedBy) seen.add(further);
  }
  return found;
}

/** Writes down functions with all who await them. */
class Signatures<Node> {
  readonly #known = new Map<Node, string>();
  readonly #label: (node: Node) => string;
  readonly #awaiters: (node: Node) => Iterable<Node>;

  constructor(label: (node: Node) => string, awaiters: (node: Node) => Iterable<Node>) {
    this.#label = label;
    this.#awaiters = awaiters;
  }

  alone(node: Node): string {
    return this.#label(node);
  }

  of(node: Node): string {
    let known = this.#known.get(node);
    if (known === undefined) {
      this.#known.set(node, "(itself)");
      const awaiters = [...this.#awaiters(node)].map((awaiter) => this.of(awaiter)).toSorted();
      known = this.#label(node) + (awaiters.length === 0 ? "" : ` <- {${awaiters.join("; ")}}`);
      this.#known.set(node, known);
    }
    return known;
  }
}

/** What V8's own stacks say and the dump does not, in lines; and how many of their frames were looked at. */
export function compareStacks(
  dump: readonly SuspendedFunction[],
  captured: readonly Captured[],
  { places }: Truth,
): { readonly lines: readonly string[]; readonly frames: number } {
  const lines: string[] = [];
  let frames = 0;
  for (const { id, leaf, awaiters } of captured) {
    // It ran when V8 spoke of it: its place is where the truth says that it stood before.
    const stood = { ...leaf, ...places.get(id) };
    let at: Iterable<SuspendedFunction> = dump.filter((one) => isAt(one, stood));
    for (const frame of awaiters) {
      frames++;
      const next = new Set([...at].flatMap(({ awaitedBy }) => awaitedBy).filter((one) => isAt(one, frame)));
      if (next.size === 0) {
        const whole = [leaf, ...awaiters].map(
          (one) => `${one.name} ${one.url ?? "eval"}:${one.line}:${one.column}`,
        );
        lines.push(`V8 has ${frame.name}:${frame.line}:${frame.column}, the dump not: ${whole.join(" <- ")}`);
        break;
      }
      at = next;
    }
  }
  return { lines, frames };
}

function isAt({ name, place, script }: SuspendedFunction, frame: Frame): boolean {
  const isThere = place?.line === frame.line && place.column === frame.column;
  return isThere && name === frame.name && (script.url === undefined || script.url === frame.url);
}
