import type { Random } from "./random.ts";

/*
 * Where in a function's body an `await` stands. Each is a statement, or some; `a` is the awaiting expression in
 * parentheses; none goes round for ever once what it awaits has come. `x` is a variable that the body has declared.
 */
export const statements: Readonly<Record<string, (a: string) => string>> = {
  statement: (a) => `${a};`,
  return: (a) => `return ${a};`,
  constant: (a) => `const v = ${a};`,
  "destructuring declaration": (a) => `const { p, q: [r] = [1], ...rest } = ${a} ?? {};`,
  "destructuring default": (a) => `const { p = ${a} } = {};`,
  "array pattern": (a) => `const [p, , q = ${a}] = [1];`,
  assignment: (a) => `x = ${a};`,
  "logical assignment": (a) => `x = null; x ??= ${a};`,
  "property assignment": (a) => `const o = {}; o.p = ${a};`,
  argument: (a) => `Math.max(1, ${a}, 3);`,
  "spread argument": (a) => `Math.max(...(${a} ?? []));`,
  "method call": (a) => `[1].concat(${a}).at(0);`,
  "constructor argument": (a) => `new Map(${a});`,
  template: (a) => "`one ${1} two ${" + a + "} three`;",
  "multi-line template": (a) => "`one\n ${1}\n   two ${" + a + "} three`;",
  "tagged template": (a) => "String.raw`one ${" + a + "}`;",
  operand: (a) => `1 + ${a} * 2;`,
  comparison: (a) => `x === ${a} || x > 1;`,
  unary: (a) => `!${a}; typeof x;`,
  void: (a) => `void ${a};`,
  comma: (a) => `(0, ${a}, 1);`,
  conditional: (a) => `(x, true) ? ${a} : 2;`,
  optional: (a) => `${a}?.p.q;`,
  "array literal": (a) => `[1, , ${a}];`,
  "object literal": (a) => `({ a: 1, b: ${a}, c });`,
  "computed key": (a) => `({ [${a}]: 1 });`,
  "computed class key": (a) => `(class { [${a}]() {} });`,
  "class extends": (a) => `(class extends (${a} ?? Object) {});`,
  if: (a) => `if (${a}) { x = 1; } else x = 2;`,
  while: (a) => `while (${a}) { break; }`,
  "do while": (a) => `let n = 0; do { if (n++ > 0) break; } while (${a});`,
  for: (a) => `for (let i = ${a}; i < 1; i++);`,
  "for condition": (a) => `for (let i = 0, f = () => i; ${a}; i++) { f(); break; }`,
  "for body": (a) => `for (let i = 0, f = () => i; i < 1; i++) { f(); ${a}; }`,
  "for in": (a) => `for (const k in ${a}) x = k;`,
  "for of": (a) => `for (const k of (${a} ?? [])) x = k;`,
  "for of body": (a) => `for (const k of [1, 2]) { ${a}; }`,
  "spread sync iterator": (a) => `for (const k of (function* () { yield 1; })()) { ${a}; break; }`,
  switch: (a) => `switch (${a}) { case 1: x = 1; break; default: x = 2; }`,
  "switch case": (a) => `switch (undefined) { case 1: break; case ${a}: x = 2; }`,
  "switch body": (a) => `switch (x) { default: { let y = 1; ${a}; y; } }`,
  try: (a) => `try { ${a}; } finally { x = 1; }`,
  "try catch": (a) => `try { ${a}; } catch { x = 1; }`,
  catch: (a) => `try { throw new Error("thrown"); } catch ({ message }) { ${a}; }`,
  finally: (a) => `try { x = 1; } finally { ${a}; }`,
  "finally after a throw": (a) => `try { throw 1; } finally { ${a}; }`,
  "finally after a return": (a) => `try { return 1; } finally { ${a}; }`,
  "nested try": (a) => `try { try { throw 1; } finally { ${a}; } } catch {}`,
  throw: (a) => `throw ${a};`,
  label: (a) => `out: { ${a}; break out; }`,
  "block scope": (a) => `{ let y = 1; const f = () => y++; f(); ${a}; }`,
  "after line comment": (a) => `x = 1; // a comment: é\n${a};`,
  "after awaits": (a) => `await null; await 1; for (let i = 0; i < 3; i++) await i; ${a};`,
  "after await in try": (a) => `try { await Promise.reject(new Error("early")); } catch { ${a}; }`,
  "on several lines": (a) => `x = [\n  1,\n\n  ${a},\n  2,\n];`,
  "in a closure's scope": (a) => `const f = (y = 1) => y + x; f(); ${a}; f();`,
};

export const statementNames = Object.keys(statements);

/** Statements that only code which is not strict may have. */
export const sloppy: Readonly<Record<string, (a: string) => string>> = {
  with: (a) => `with ({ x: 1 }) { ${a}; }`,
  "var in eval": (a) => `eval("var y = 1"); ${a};`,
};

/** What stands before and after, and moves it about. */
export function padding(random: Random): string {
  const some: string[] = [];
  for (let count = random.below(4); count > 0; count--) some.push(random.pick(paddings));
  return some.join("");
}

const many = Array.from({ length: 90 }, (_, index) => `k${index} = ${index}`).join(", ");
const reads = Array.from({ length: 90 }, (_, index) => `k${index}`).join(" + ");

const paddings: readonly string[] = [
  "\n",
  "\n\n    ",
  "x = 1;\n",
  "\t",
  "/* a comment */ ",
  "/* one\n   two */ ",
  "// to the end of the line\n",
  "x = `a\ntemplate`;\n",
  "x = 'a string';",
  'x = "日本語 \u{1f600}";\n',
  "x = /reg(ex)/u.test('a');\r\n",
  "if (x) { x = 2; }\n",
  "for (const k of [1, 2, 3]) x = k;\n",
  "try { x(); } catch { x = 3; }\n",
  "x = (() => () => 1)()();\n",
  "x = { a: 1, get b() { return 2; } };\n",
  "await null;\n",
  // More locals than a scope's own table holds, and offsets that need wide operands.
  `{ let ${many}; x = () => ${reads}; x(); }\n`,
  `x = [${Array.from({ length: 300 }, (_, index) => `"s${index}"`).join(", ")}];\n`,
];
