import { forms } from "./forms.ts";
import type { Form } from "./forms.ts";
import { mark } from "./marks.ts";
import type { Promised, TruthNode } from "./nodes.ts";
import type { Program } from "./program.ts";
import { padding } from "./statements.ts";

/*
 * Async generators and what iterates them. The place of a `for await` is that of its variable, of a `yield` the
 * keyword, of a `return` what is returned: so V8's own stack traces have it.
 */

type Write = (program: Program, depth: number) => Promised;

/** A generator around a body. */
function generator(program: Program, id: number, body: string): Form & { readonly url: string | undefined } {
  const kind = program.random.pick(Object.keys(forms));
  const write = forms[kind];
  if (write === undefined) throw new Error(`no form ${kind}`);
  program.at.count(`generator: ${kind}`);
  return program.define(
    write({ id, name: `g${id}`, star: "*", body: `let x = 1;${padding(program.random)}${body}` }),
  );
}

/** A generator that stands at what its body marks. */
function standing(
  program: Program,
  id: number,
  body: string,
  suspension: TruthNode["suspension"] = "await",
): { readonly call: string; readonly node: TruthNode } {
  const form = generator(program, id, body);
  return {
    call: form.call,
    node: program.node({ mark: id, name: form.name, url: form.url, isGenerator: true, suspension }),
  };
}

interface Consumer {
  readonly call: string;
  /** Who stands at the mark. */
  readonly node: TruthNode;
  /** Who is awaited by whoever awaits the call. */
  readonly top: TruthNode;
}

/** A function whose body is given, with its mark in it. */
function consumer(program: Program, id: number, body: string): Consumer {
  const { random, at } = program;
  if (random.chance(0.2)) {
    // A generator may iterate, too: its own consumer waits for it.
    at.count("generator in a generator");
    const inner = standing(program, id, `${body} yield 1;`);
    const outerId = at.nextId();
    const outer = consumer(program, outerId, `for await (const ${mark(outerId)}v of ${inner.call}) x = v;`);
    inner.node.awaitedBy.add(outer.node);
    return { call: outer.call, node: inner.node, top: outer.top };
  }
  const kind = random.pick(Object.keys(forms));
  const write = forms[kind];
  if (write === undefined) throw new Error(`no form ${kind}`);
  const form = program.define(
    write({ id, name: `c${id}`, star: "", body: `let x = 1;${padding(random)}${body}` }),
  );
  const node = program.node({ mark: id, name: form.name, url: form.url });
  return { call: form.call, node, top: node };
}

/** A consumer that waits for the generator, which itself waits. */
function both(
  generated: (program: Program, id: number, inner: Promised) => string,
  consume: (call: string, mark: string) => string,
): Write {
  return (program, depth) => {
    const inner = program.promise(depth - 2);
    const [id, outerId] = [program.at.nextId(), program.at.nextId()];
    const { call, node } = standing(program, id, generated(program, id, inner));
    program.link(inner, node);
    const outer = consumer(program, outerId, consume(call, mark(outerId)));
    node.awaitedBy.add(outer.node);
    return { text: outer.call, tops: [outer.top] };
  };
}

/** A consumer that waits for something else while the generator stands. */
function beside(
  suspension: TruthNode["suspension"],
  generated: (mark: string) => string,
  consume: (call: string, awaits: string) => string,
): Write {
  return (program, depth) => {
    const inner = program.promise(depth - 2);
    const [id, outerId] = [program.at.nextId(), program.at.nextId()];
    const { call } = standing(program, id, generated(mark(id)), suspension);
    const outer = consumer(program, outerId, consume(call, program.awaiting(outerId, inner)));
    program.link(inner, outer.node);
    return { text: outer.call, tops: [outer.top] };
  };
}

/** A consumer of what is no generator of the program. */
function iterating(consume: (text: string, mark: string) => string): Write {
  return (program, depth) => {
    const inner = program.promise(depth - 1);
    const id = program.at.nextId();
    const outer = consumer(program, id, consume(inner.text, mark(id)));
    program.link(inner, outer.node);
    return { text: outer.call, tops: [outer.top] };
  };
}

/** A consumer of what never comes. */
function idle(consume: (mark: string) => string): Write {
  return (program) => {
    const id = program.at.nextId();
    const outer = consumer(program, id, consume(mark(id)));
    return { text: outer.call, tops: [outer.top] };
  };
}

const awaits = (program: Program, id: number, inner: Promised): string =>
  `yield 0; ${program.awaiting(id, inner)};`;
const loop = (call: string, at: string): string => `for await (const ${at}v of ${call}) { x = v; }`;

const writes: Readonly<Record<string, Write>> = {
  "for await of a generator at await": both(awaits, loop),
  "for await with destructuring": both(
    awaits,
    (call, at) => `for await (const { p ${at}} of ${call}) { x = p; }`,
  ),
  "for await with a variable": both(awaits, (call, at) => `for await (${at}x of ${call}) { x = 1; }`),
  "for await in a try": both(
    awaits,
    (call, at) => `try { for await (let ${at}v of ${call}) { const f = () => v; f(); } } finally { x = 1; }`,
  ),
  "yield of a promise": both((_, id, inner) => `x = ${mark(id)}yield ${inner.text};`, loop),
  "return of a promise": both((_, id, inner) => `const p = ${inner.text}; ${mark(id)}return p;`, loop),
  "generator.next": both(
    (program, id, inner) => `x = 2; ${program.awaiting(id, inner)}; yield x;`,
    (call, at) => `const g = $.keep(${call}); (${at}await g.next());`,
  ),
  "several nexts": both(
    (program, id, inner) => `${program.awaiting(id, inner)}; yield x;`,
    (call, at) => `const g = $.keep(${call}); ${at}await Promise.all([g.next(), g.next(), g.next()]);`,
  ),
  "the last of several nexts": both(
    (program, id, inner) => `${program.awaiting(id, inner)}; yield x;`,
    (call, at) => `const g = $.keep(${call}); g.next(); g.next(); ${at}await g.next();`,
  ),
  "finally on break": both(
    (program, id, inner) => `try { yield 1; } finally { ${program.awaiting(id, inner)}; }`,
    (call, at) => `for await (const v of ${call}) { x = v; ${at}break; }`,
  ),
  "generator.return": both(
    (program, id, inner) => `try { yield 1; } finally { ${program.awaiting(id, inner)}; }`,
    (call, at) => `const g = $.keep(${call}); await g.next(); ${at}await g.return(1);`,
  ),
  "generator.throw": both(
    (program, id, inner) => `try { yield 1; } catch { ${program.awaiting(id, inner)}; }`,
    (call, at) => `const g = $.keep(${call}); await g.next(); ${at}await g.throw(1);`,
  ),
  "generator at yield": beside(
    "yield",
    (at) => `${at}yield 1; x = 2; yield 2;`,
    (call, a) => `for await (const v of ${call}) { x = v; ${a}; }`,
  ),
  "generator at a later yield": beside(
    "yield",
    (at) => `yield 1; await null; x = ${at}yield 2;`,
    (call, a) => `let count = 0; for await (const v of ${call}) { x = v; if (++count === 2) ${a}; }`,
  ),
  "generator held at yield": beside(
    "yield",
    (at) => `${at}yield 1;`,
    (call, a) => `const g = $.keep(${call}); await g.next(); ${a};`,
  ),
  "generator not started": beside(
    "start",
    (at) => `yield ${at}1;`,
    (call, a) => `$.keep(${call}); ${a};`,
  ),
  "for await of an array": iterating((text, at) => `for await (const ${at}v of [1, ${text}, 2]) { x = v; }`),
  "for await of a sync generator": iterating(
    (text, at) => `for await (const ${at}v of (function* () { yield 1; yield ${text}; })()) { x = v; }`,
  ),
  "for await of an iterator": iterating(
    (text, at) =>
      `let n = 0; const next = () => (n++ > 0 ? { done: true } : ${text}); for await (const ${at}v of { [Symbol.asyncIterator]: () => ({ next }) }) { x = v; }`,
  ),
  "for await of a stream": idle((at) => `for await (const ${at}v of rt.readable()) { x = v; }`),
  "for await of a web stream": idle((at) => `for await (const ${at}v of rt.webStream()) { x = v; }`),
  "for await of events.on": idle(
    (at) => `for await (const ${at}v of rt.events.on(rt.emitter(), "never")) { x = v; }`,
  ),
  "for await of timers/promises": idle(
    (at) => `for await (const ${at}v of rt.timers.setInterval(2 ** 30)) { x = v; }`,
  ),
  "yield*": delegating,
  "await using": disposing,
  "several await using": disposing,
};

/** A generator that hands over to another. */
function delegating(program: Program, depth: number): Promised {
  const inner = program.promise(depth - 2);
  const [id, middleId, outerId] = [program.at.nextId(), program.at.nextId(), program.at.nextId()];
  const from = standing(program, id, `yield 0; ${program.awaiting(id, inner)};`);
  program.link(inner, from.node);
  const middle = standing(program, middleId, `x = ${mark(middleId)}yield* ${from.call};`);
  from.node.awaitedBy.add(middle.node);
  const outer = consumer(program, outerId, loop(middle.call, mark(outerId)));
  middle.node.awaitedBy.add(outer.node);
  return { text: outer.call, tops: [outer.top] };
}

/** The block's last statement is where a function stands while it disposes. */
function disposing(program: Program, depth: number): Promised {
  if (program.at.node < 24) return program.call(depth - 1);
  const inner = program.promise(depth - 1);
  const id = program.at.nextId();
  const name = `d${id}`;
  const isSeveral = program.random.chance(0.5);
  const before = isSeveral ? "await using q = { [Symbol.asyncDispose]() {} }; " : "";
  const after = isSeveral ? "await using s = { [Symbol.asyncDispose]: async () => {} }; " : "";
  program.definitions.push(
    `$.u${id} = async function ${name}() { let x = 1; ${padding(program.random)}{ ${before}` +
      `await using r = { [Symbol.asyncDispose]: () => ${inner.text} }; ${after}\n ${mark(id)}2; } x = 3; };`,
  );
  const node = program.node({ mark: id, name });
  program.link(inner, node);
  return { text: `$.u${id}()`, tops: [node] };
}

export function makeGenerator(program: Program, depth: number): Promised {
  const name = program.random.pick(Object.keys(writes));
  const write = writes[name];
  if (write === undefined) throw new Error(`no ${name}`);
  if (!name.endsWith("await using") || program.at.node >= 24) program.at.count(name);
  return write(program, depth);
}
