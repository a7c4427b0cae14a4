import { arrows, forms } from "./forms.ts";
import type { Form } from "./forms.ts";
import { makeGenerator } from "./generators.ts";
import { mark } from "./marks.ts";
import type { Promised, TruthNode } from "./nodes.ts";
import type { Random } from "./random.ts";
import { sourced } from "./sourced.ts";
import { padding, sloppy, statementNames, statements } from "./statements.ts";
import { makePromise } from "./waits.ts";

/** For which Node, where, and where to: shared by the programs of one process. */
export interface Surroundings {
  readonly random: Random;
  /** The major version of the Node that runs it. */
  readonly node: number;
  readonly kind: "esm" | "cjs" | "worker";
  readonly inWorker: boolean;
  readonly url: string;
  readonly nodes: TruthNode[];
  readonly places: Map<number, { line: number; column: number }>;
  readonly count: (feature: string) => void;
  readonly nextId: () => number;
  /** Adds a file next to the others, and says under which URL. */
  readonly addModule: (write: (url: string) => string) => string;
}

/** How deep functions wait for functions, at most. */
const MAX_DEPTH = 6;

/** Writes one program: its functions, each waiting for others, and how they are started. */
export class Program {
  readonly at: Surroundings;
  readonly random: Random;
  readonly definitions: string[] = [];
  /** Expressions of promises that several await: evaluated once. */
  readonly shared: Promised[] = [];

  constructor(at: Surroundings) {
    this.at = at;
    this.random = at.random;
  }

  /** The text of the whole: a function that is given the runtime, and starts what it starts. */
  static write(at: Surroundings): string {
    const program = new Program(at);
    const roots: string[] = [];
    for (let count = 1 + at.random.below(2); count > 0; count--) roots.push(program.promise(MAX_DEPTH).text);
    return program.text(roots.map((root) => `rt.keep(${root});`).join("\n"));
  }

  /** A program of its own in the top level of a module. */
  inModule(url: string): Program {
    return new Program({ ...this.at, kind: "esm", url });
  }

  text(start: string): string {
    return `(() => { const $ = rt.table();\n${this.definitions.join("\n")}\n${start}\n})();\n`;
  }

  node(made: Partial<TruthNode> & Pick<TruthNode, "mark" | "name">): TruthNode {
    const node: TruthNode = {
      isGenerator: false,
      suspension: "await",
      url: this.at.url,
      inWorker: this.at.inWorker,
      awaitedBy: new Set(),
      ...made,
    };
    this.at.nodes.push(node);
    return node;
  }

  /** Lets a function await what a promise hangs on. */
  link(promised: Promised, awaiter: TruthNode): void {
    for (const top of promised.tops) top.awaitedBy.add(awaiter);
  }

  /** Any expression that yields a promise. */
  promise(depth: number): Promised {
    return makePromise(this, depth);
  }

  /** A call of an async function that waits for something. */
  call(depth: number): Promised {
    if (depth > 1 && this.random.chance(0.25)) return makeGenerator(this, depth);
    const target = this.thenable(this.promise(depth - 1));
    const id = this.at.nextId();
    const form = this.asyncFunction(id, this.awaiting(id, target));
    const node = this.node({ mark: id, name: form.name, url: form.url });
    this.link(target, node);
    return { text: form.call, tops: [node] };
  }

  /** Now and then what is awaited is no promise, but only has a `then`. */
  thenable(promised: Promised): Promised {
    if (!this.random.chance(0.06)) return promised;
    this.at.count("thenable");
    if (promised.isLeaf === true) return { ...promised, text: "rt.thenable()" };
    return { ...promised, text: `({ then: (a, b) => { ${promised.text}.then(a, b); } })` };
  }

  /** The marked `await` of a promise, in parentheses; one that V8's stack can be had from says it when it goes on. */
  awaiting(id: number, { text, isLeaf }: Promised): string {
    const awaits = `${mark(id)}await ${text}`;
    return isLeaf === true ? `rt.capture(${id}, ${awaits})` : `(${awaits})`;
  }

  /** An async function whose body is an `await`, somewhere in a statement. */
  asyncFunction(id: number, awaits: string): Form & { readonly url: string | undefined } {
    const { random, at } = this;
    const all = random.chance(0.3) ? arrows : forms;
    const kind = random.pick(Object.keys(all));
    const body = this.body(awaits, kind);
    const write = all[kind];
    if (write === undefined) throw new Error(`no form ${kind}`);
    at.count(kind);
    return this.define(write({ id, name: `f${id}`, star: "", body }));
  }

  /** A body around an awaiting expression. */
  body(awaits: string, kind = ""): string {
    const { random, at } = this;
    const isSloppy =
      at.kind !== "esm" && !kind.includes("class") && !/static|method|field|private|constructor/.test(kind);
    const inSloppy = isSloppy && random.chance(0.05);
    const where = random.pick(inSloppy ? Object.keys(sloppy) : statementNames);
    at.count(`await: ${where}`);
    const write = (inSloppy ? sloppy : statements)[where];
    if (write === undefined) throw new Error(`no statement ${where}`);
    return `let x = 1;${padding(random)}${write(awaits)}\n${random.chance(0.5) ? "return 1;" : ""}`;
  }

  /** Puts a definition into the program: as it is, or from a text that the program compiles when it runs. */
  define(form: Form): Form & { readonly url: string | undefined } {
    const from = this.random.chance(0.12) ? sourced(this, form) : { text: form.definition, url: this.at.url };
    this.definitions.push(from.text);
    return { ...form, url: from.url };
  }
}
