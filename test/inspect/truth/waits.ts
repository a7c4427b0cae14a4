import { mark } from "./marks.ts";
import type { Promised, TruthNode } from "./nodes.ts";
import type { Program } from "./program.ts";

type Write = (program: Program, depth: number) => Promised;

/** What nobody settles before the end. */
const leaves: Readonly<Record<string, Write>> = {
  promise: () => ({ text: "rt.never()", tops: [], isLeaf: true }),
  withResolvers: ({ at }) => ({
    text: at.node >= 22 ? "rt.withResolvers()" : "rt.never()",
    tops: [],
    isLeaf: true,
  }),
  "chained promise": () => ({ text: "rt.never().then((v) => v)", tops: [], isLeaf: true }),
  "timers/promises": () => ({ text: "rt.timers.setTimeout(2 ** 30)", tops: [] }),
  "events.once": () => ({ text: "rt.events.once(rt.emitter(), 'never')", tops: [] }),
  "util.promisify": () => ({ text: "rt.promisified()", tops: [] }),
  "stream finished": () => ({ text: "rt.streams.finished(rt.readable())", tops: [] }),
  "reader.read": () => ({ text: "rt.webStream().getReader().read()", tops: [] }),
};

const fetches: Readonly<Record<string, Write>> = {
  fetch: () => ({ text: "rt.fetch('/never')", tops: [] }),
  "fetch a body": () => ({ text: "rt.fetch('/body').then((response) => response.text())", tops: [] }),
};

/** Promises that pass on what functions end with. */
const wraps: Readonly<Record<string, Write>> = {
  then: around((text) => `${text}.then((v) => v)`),
  "then with two handlers": around((text) => `${text}.then((v) => v, (e) => { throw e; })`),
  "then twice": around((text) => `${text}.then((v) => v).then((v) => v)`),
  catch: around((text) => `${text}.catch((e) => { throw e; })`),
  finally: around((text) => `${text}.finally(() => {})`),
  "then of nothing": around((text) => `${text}.then()`),
  "Promise.resolve": around((text) => `Promise.resolve(${text})`),
  "resolved with": around((text) => `new Promise((resolve) => resolve(${text}))`),
  "then(resolve, reject)": around(
    (text) => `new Promise((resolve, reject) => ${text}.then(resolve, reject))`,
  ),
  "returned by then": around((text) => `Promise.resolve().then(() => ${text})`),
  "returned by finally": around((text) => `Promise.resolve(1).finally(() => ${text})`),
  "returned by an async function": around((text) => `(async () => ${text})()`),
  "thenable around": around(
    (text) => `({ then: (resolve, reject) => { ${text}.then(resolve, reject); } })`,
    true,
  ),
  subclass: around((text) => `rt.Later.resolve(${text})`),
  "then of a subclass": around((text) => `rt.Later.resolve(${text}).then((v) => v)`),
  "AsyncLocalStorage.run": around((text) => `rt.storage.run({ a: 1 }, () => ${text})`),
  AsyncResource: around((text) => `new rt.AsyncResource("R").runInAsyncScope(() => ${text})`),
};

/** Combinators: of one, two or three, and values beside them. */
const combinators = ["all", "allSettled", "any", "race"] as const;

function around(write: (text: string) => string, isThenable = false): Write {
  return (program, depth) => {
    const inner = program.promise(depth - 1);
    const text = write(inner.text);
    return { text: isThenable ? `Promise.resolve(${text})` : text, tops: inner.tops };
  };
}

function combined(program: Program, depth: number): Promised {
  const { random, at } = program;
  const combinator = random.pick(combinators);
  at.count(`Promise.${combinator}`);
  const inner: Promised[] = [];
  for (let count = 1 + random.below(3); count > 0; count--)
    inner.push(program.promise(depth - 1 - random.below(2)));
  const texts = inner.map(({ text }) => text);
  const settles = combinator === "all" || combinator === "allSettled";
  if (settles && random.chance(0.3)) texts.splice(random.below(texts.length + 1), 0, "7");
  if (!settles && random.chance(0.2)) texts.push(combinator === "any" ? "Promise.reject(1)" : "rt.never()");
  const on = random.chance(0.1) ? "rt.Later" : "Promise";
  return { text: `${on}.${combinator}([${texts.join(", ")}])`, tops: inner.flatMap(({ tops }) => tops) };
}

/** A promise that several await: made once, by whoever asks first. */
function shared(program: Program, depth: number): Promised {
  const { random, at } = program;
  at.count("shared promise");
  if (program.shared.length > 0 && random.chance(0.6)) return random.pick(program.shared);
  const inner = program.promise(depth - 1);
  const made = { text: `($.s${at.nextId()} ??= ${inner.text})`, tops: inner.tops };
  program.shared.push(made);
  return made;
}

/** One function, several times at once. */
function instances(program: Program): Promised {
  const { random, at } = program;
  at.count("several of one function");
  const id = at.nextId();
  const form = program.asyncFunction(
    id,
    program.awaiting(id, { text: "rt.never()", tops: [], isLeaf: true }),
  );
  const tops: TruthNode[] = [];
  const count = 2 + random.below(4);
  for (let one = 0; one < count; one++) tops.push(program.node({ mark: id, name: form.name, url: form.url }));
  return { text: `Promise.all(Array.from({ length: ${count} }, () => ${form.call}))`, tops };
}

/** A function that calls itself, and waits for something else at last. */
function recursion(program: Program, depth: number): Promised {
  const { random, at } = program;
  at.count("recursion");
  const inner = program.promise(depth - 1);
  const [id, last] = [at.nextId(), at.nextId()];
  const name = `f${id}`;
  const isTail = random.chance(0.3);
  const again = isTail ? `return ${name}(n - 1);` : `return ${mark(id)}await ${name}(n - 1);`;
  program.definitions.push(
    `async function ${name}(n) { if (n > 0) { ${again} }\n  return ${program.awaiting(last, inner)}; }\n$.u${id} = ${name};`,
  );
  let top = program.node({ mark: last, name });
  program.link(inner, top);
  const times = 1 + random.below(5);
  for (let time = 0; time < times && !isTail; time++) {
    const next = program.node({ mark: id, name });
    top.awaitedBy.add(next);
    top = next;
  }
  return { text: `$.u${id}(${times})`, tops: [top] };
}

/** What links nobody: a plain callback stands between. */
function broken(program: Program, depth: number): Promised {
  program.at.count("plain callback between");
  const { text } = program.promise(depth - 1);
  return {
    text: program.random.pick([
      `new Promise((resolve) => { ${text}.then((v) => resolve(v)); })`,
      `new Promise((resolve) => { ${text}.then(() => {}, () => {}).then((v) => { resolve(v); }); })`,
      `new Promise((resolve) => { (async () => 1)().then(() => { rt.keep(${text}); }); rt.keep(resolve); })`,
    ]),
    tops: [],
  };
}

/** Modules that await at their top level: imported alone, or by another. */
function imported(program: Program, depth: number): Promised {
  const { at, random } = program;
  at.count("import() of top-level await");
  const id = at.nextId();
  let node: TruthNode | undefined;
  const url = at.addModule((own) => {
    const inside = program.inModule(own);
    const inner = inside.promise(Math.min(depth - 1, 2));
    node = inside.node({ mark: id, name: "" });
    inside.link(inner, node);
    // Tables are shared by a module's functions; the awaiting statement is the module's own.
    return `const $ = rt.table();\n${inside.definitions.join("\n")}\n${inside.awaiting(id, inner)};\n`;
  });
  if (node === undefined) throw new Error("the module was not written");
  if (!random.chance(0.4)) return { text: `rt.load(${JSON.stringify(url)})`, tops: [node] };
  at.count("import of top-level await");
  // The outer one has not begun: it waits, at its start, for what it imports.
  const start = at.nextId();
  const outer = at.addModule((own) => {
    const begins = program.node({ mark: start, name: "", url: own, suspension: "start" });
    node?.awaitedBy.add(begins);
    node = begins;
    return `import ${JSON.stringify(url)};\nawait rt.never();\n`;
  });
  return { text: `rt.load(${JSON.stringify(outer)})`, tops: [node] };
}

function fromAsync(program: Program, depth: number): Promised {
  program.at.count("Array.fromAsync");
  const inner = program.promise(depth - 1);
  return { text: `Array.fromAsync([${inner.text}])`, tops: inner.tops };
}

function pick(program: Program, table: Readonly<Record<string, Write>>, depth: number): Promised {
  const name = program.random.pick(Object.keys(table));
  const write = table[name];
  if (write === undefined) throw new Error(`no ${name}`);
  program.at.count(name);
  return write(program, depth);
}

export function makePromise(program: Program, depth: number): Promised {
  const { random, at } = program;
  if (depth <= 0) return random.chance(0.02) ? pick(program, fetches, depth) : pick(program, leaves, depth);
  const turn = random.below(100);
  if (turn < 52) return program.call(depth);
  if (turn < 70) return pick(program, wraps, depth);
  if (turn < 80) return combined(program, depth);
  if (turn < 86) return shared(program, depth);
  if (turn < 89) return instances(program);
  if (turn < 93) return recursion(program, depth);
  if (turn < 95) return broken(program, depth);
  if (turn < 97 && at.node >= 22) return fromAsync(program, depth);
  if (turn < 98) return imported(program, depth);
  return pick(program, leaves, depth);
}
