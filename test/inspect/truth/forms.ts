/*
 * In which form a function is written. `name` is what it is to be called where the form leaves a choice, `star` is "*"
 * for a generator; `table` is the object of the program's own functions. A form writes a definition, says by which
 * expression the function is called, and what V8's stack traces call it.
 */
export interface Form {
  readonly definition: string;
  readonly call: string;
  readonly name: string;
}

/** What a form is given. */
interface Body {
  readonly id: number;
  readonly name: string;
  readonly star: "" | "*";
  readonly body: string;
}

type Write = (of: Body) => Form;

const own = ({ id }: Body): string => `$.u${id}`;

/** A definition that assigns to the program's table. */
const assigned = (of: Body, value: string, name = of.name): Form => ({
  definition: `${own(of)} = ${value};`,
  call: `${own(of)}()`,
  name,
});

/** A definition of its own, then an assignment of what it defined. */
const declared = (of: Body, declaration: string, value: string, name = of.name): Form => ({
  definition: `{ ${declaration}\n${own(of)} = ${value}; }`,
  call: `${own(of)}()`,
  name,
});

/** Forms that async functions and async generators have. */
export const forms: Readonly<Record<string, Write>> = {
  declaration: (of) => declared(of, `async function ${of.star} ${of.name}() { ${of.body} }`, of.name),
  "anonymous expression": (of) =>
    declared(of, `const ${of.name} = async function ${of.star} () { ${of.body} };`, of.name),
  "named expression": (of) => assigned(of, `async function ${of.star}${of.name}() { ${of.body} }`),
  "assigned to a property": (of) => assigned(of, `async function${of.star} () { ${of.body} }`, own(of)),
  "object method": (of) =>
    declared(of, `const o = { async ${of.star} ${of.name}() { ${of.body} } };`, `() => o.${of.name}()`),
  "object property": (of) =>
    declared(of, `const o = { ${of.name}: async function${of.star} () { ${of.body} } };`, `o.${of.name}`),
  "class method": (of) =>
    declared(of, `class K { async ${of.star} ${of.name}() { ${of.body} } }`, `() => new K().${of.name}()`),
  "static method": (of) =>
    declared(of, `class K { static async ${of.star} ${of.name}() { ${of.body} } }`, `() => K.${of.name}()`),
  "private method": (of) =>
    declared(
      of,
      `class K { async ${of.star} #${of.name}() { ${of.body} } go() { return this.#${of.name}(); } }`,
      "() => new K().go()",
      `#${of.name}`,
    ),
  "static private method": (of) =>
    declared(
      of,
      `class K { static async ${of.star} #${of.name}() { ${of.body} } static go() { return K.#${of.name}(); } }`,
      "() => K.go()",
      `#${of.name}`,
    ),
  "inherited method": (of) =>
    declared(
      of,
      `class A { async ${of.star} ${of.name}() { ${of.body} } }\nclass B extends A { ${of.name}() { return super.${of.name}(); } }`,
      `() => new B().${of.name}()`,
    ),
  "class field": (of) =>
    declared(
      of,
      `class K { ${of.name} = async function${of.star} () { ${of.body} }; }`,
      `() => new K().${of.name}()`,
    ),
  "static field": (of) =>
    declared(
      of,
      `class K { static ${of.name} = async function${of.star} () { ${of.body} }; }`,
      `() => K.${of.name}()`,
    ),
  "static block": (of) =>
    declared(
      of,
      `let f; class K { static { const ${of.name} = async function${of.star} () { ${of.body} }; f = ${of.name}; } }`,
      "f",
    ),
  "computed method": (of) =>
    declared(
      of,
      `const k = "${of.name}"; const o = { async ${of.star} [k]() { ${of.body} } };`,
      `() => o.${of.name}()`,
    ),
  "computed class method": (of) =>
    declared(
      of,
      `class K { static async ${of.star} ["${of.name.slice(0, 1)}" + "${of.name.slice(1)}"]() { ${of.body} } }`,
      `() => K.${of.name}()`,
    ),
  "symbol method": (of) =>
    declared(
      of,
      `const s = Symbol("${of.name}"); const o = { async ${of.star} [s]() { ${of.body} } };`,
      "() => o[s]()",
      `[${of.name}]`,
    ),
  "well-known symbol method": (of) =>
    declared(
      of,
      `const o = { async ${of.star} [Symbol.iterator]() { ${of.body} } };`,
      "() => o[Symbol.iterator]()",
      "[Symbol.iterator]",
    ),
  "string-named method": (of) =>
    declared(
      of,
      `const o = { async ${of.star} "${of.name} !"() { ${of.body} } };`,
      `() => o["${of.name} !"]()`,
      `${of.name} !`,
    ),
  "number-named method": (of) =>
    declared(
      of,
      `class K { async ${of.star} ${of.id}() { ${of.body} } }`,
      `() => new K()[${of.id}]()`,
      String(of.id),
    ),
  "unicode name": (of) =>
    declared(
      of,
      `async function ${of.star} größe名${of.id}() { ${of.body} }`,
      `größe名${of.id}`,
      `größe名${of.id}`,
    ),
  renamed: (of) =>
    declared(
      of,
      `async function ${of.star} before() { ${of.body} }\nObject.defineProperty(before, "name", { value: "${of.name}" });`,
      "before",
    ),
  closure: (of) =>
    declared(
      of,
      `const make = (a, b) => async function ${of.star} ${of.name}() { var z = a + b; ${of.body} };`,
      "make(1, 2)",
    ),
  nested: (of) =>
    declared(
      of,
      `function outer() { let shared = 1; return { inner() { return async function ${of.star}${of.name}() { shared++; ${of.body} }; } }; }`,
      "outer().inner()",
    ),
  "default parameters": (of) =>
    declared(
      of,
      `async function ${of.star} ${of.name}(a = 1, b = () => a, c = b()) { var z = c; ${of.body} }`,
      of.name,
    ),
  "closures over parameters": (of) =>
    declared(
      of,
      `async function ${of.star} ${of.name}(a = 1, b = () => a) { var a = 2, z = () => a + b(); ${of.body} }`,
      of.name,
    ),
  "destructured parameters": (of) =>
    declared(
      of,
      `async function ${of.star} ${of.name}({ a = 1, ...b } = {}, [d, e = a] = [1], ...more) { var z = [a, b, d, e, more]; ${of.body} }`,
      of.name,
    ),
  "arguments object": (of) =>
    declared(
      of,
      `async function ${of.star} ${of.name}() { var z = arguments.length; ${of.body} }`,
      `() => ${of.name}(1, 2)`,
    ),
  "uses this": (of) =>
    declared(
      of,
      `const o = { v: 1, async ${of.star} ${of.name}() { var z = this.v; ${of.body} } };`,
      `() => o.${of.name}()`,
    ),
  bound: (of) =>
    declared(of, `async function ${of.star} ${of.name}() { ${of.body} }`, `${of.name}.bind(null, 1)`),
  proxied: (of) =>
    declared(of, `async function ${of.star} ${of.name}() { ${of.body} }`, `new Proxy(${of.name}, {})`),
  "called by Reflect": (of) =>
    declared(
      of,
      `async function ${of.star} ${of.name}() { ${of.body} }`,
      `() => Reflect.apply(${of.name}, {}, [])`,
    ),
  "method of a number": (of) =>
    declared(
      of,
      `class K { static async ${of.star} ${of.name}() { ${of.body} } }`,
      `() => K.${of.name}.call(7)`,
    ),
  "key of a map": (of) =>
    declared(
      of,
      `const keys = new Map(); async function ${of.star} ${of.name}() { ${of.body} }`,
      `() => { const key = ${of.name}(); keys.set(key, 1); return key; }`,
    ),
};

/** Forms that only async functions have. */
export const arrows: Readonly<Record<string, Write>> = {
  arrow: (of) => declared(of, `const ${of.name} = async () => { ${of.body} };`, of.name),
  "arrow in a property": (of) =>
    declared(of, `const o = { ${of.name}: async () => { ${of.body} } };`, `o.${of.name}`),
  "arrow in a table": (of) => assigned(of, `async () => { ${of.body} }`, own(of)),
  "arrow field": (of) =>
    declared(
      of,
      `class K { #v = 1; ${of.name} = async () => { var z = this.#v; ${of.body} }; }`,
      `() => new K().${of.name}()`,
    ),
  "private arrow field": (of) =>
    declared(
      of,
      `class K { #${of.name} = async () => { ${of.body} }; go() { return this.#${of.name}(); } }`,
      "() => new K().go()",
      `#${of.name}`,
    ),
  "arrow in a computed property": (of) =>
    declared(of, `const k = "${of.name}"; const o = { [k]: async () => { ${of.body} } };`, `o.${of.name}`),
  "arrow in parameters": (of) =>
    declared(of, `function outer(${of.name} = async () => { ${of.body} }) { return ${of.name}; }`, "outer()"),
  "arrow in a default": (of) =>
    declared(of, `const { ${of.name} = async () => { ${of.body} } } = {};`, of.name),
  "called at once": (of) => declared(of, "", `() => (async () => { ${of.body} })()`, ""),
  "anonymous argument": (of) => declared(of, "const id = (f) => f;", `id(async () => { ${of.body} })`, ""),
  "arrow with parameters": (of) =>
    declared(
      of,
      `const ${of.name} = async ({ a } = { a: 1 }, ...b) => { var z = [a, b]; ${of.body} };`,
      of.name,
    ),
  getter: (of) =>
    declared(
      of,
      `const o = { get g() { const ${of.name} = async () => { ${of.body} }; return ${of.name}; } };`,
      "() => o.g()",
    ),
  "in a constructor": (of) =>
    declared(
      of,
      `class K { constructor() { const ${of.name} = async () => { ${of.body} }; this.p = ${of.name}(); } }`,
      "() => new K().p",
    ),
};
