import type { Form } from "./forms.ts";
import { takeMarks } from "./marks.ts";
import type { Program } from "./program.ts";

/** A definition that is compiled while the program runs, and what V8 calls the script that it is in. */
export interface Sourced {
  readonly text: string;
  readonly url: string | undefined;
}

type Write = (program: Program, definition: string) => Sourced;

/** Turns a definition into a string literal; its marks are taken from the text that V8 will see. */
const literal = ({ at }: Program, text: string, line = 0, column = 0): string =>
  JSON.stringify(takeMarks(text, at.places, line, column));

/** `new Function` puts two lines before the body. */
const HEADER_LINES = 2;

const kinds: Readonly<Record<string, Write>> = {
  "direct eval": (program, text) => ({ text: `eval(${literal(program, text)});`, url: undefined }),
  "indirect eval": (program, text) => ({
    text: `(0, eval)(${literal(program, `(($, rt) => {${text}})`)})($, rt);`,
    url: undefined,
  }),
  "named eval": (program, text) => {
    const url = `named-${program.at.nextId()}.js`;
    return { text: `eval(${literal(program, `${text}\n//# sourceURL=${url}`)});`, url };
  },
  "new Function": (program, text) => ({
    text: `new Function("$", "rt", ${literal(program, text, HEADER_LINES)})($, rt);`,
    url: undefined,
  }),
  "nested eval": (program, text) => ({
    text: `eval(${JSON.stringify(`eval(${literal(program, text)})`)});`,
    url: undefined,
  }),
  "vm.runInThisContext": (program, text) => {
    const url = `this-context-${program.at.nextId()}.js`;
    return {
      text: `rt.vm.runInThisContext(${literal(program, `(($, rt) => {${text}})`)}, "${url}")($, rt);`,
      url,
    };
  },
  "vm.Script with offsets": (program, text) => {
    const url = `/a folder/script-${program.at.nextId()}.js`;
    const [line, column] = [program.random.below(100), program.random.below(100)];
    const source = literal(program, `(($, rt) => {${text}})`, line, column);
    const options = `{ filename: "${url}", lineOffset: ${line}, columnOffset: ${column} }`;
    return { text: `new rt.vm.Script(${source}, ${options}).runInThisContext()($, rt);`, url };
  },
  "vm.compileFunction": (program, text) => {
    const url = `compiled-${program.at.nextId()}.js`;
    return {
      text: `rt.vm.compileFunction(${literal(program, text)}, ["$", "rt"], { filename: "${url}" })($, rt);`,
      url,
    };
  },
  "vm context": (program, text) => {
    const url = `context-${program.at.nextId()}.js`;
    return {
      text: `rt.vm.runInContext(${literal(program, `{${text}}`)}, rt.context($), "${url}");`,
      url,
    };
  },
};

export function sourced(program: Program, { definition }: Form): Sourced {
  const kind = program.random.pick(Object.keys(kinds));
  const write = kinds[kind];
  if (write === undefined) throw new Error(`no kind of source ${kind}`);
  program.at.count(kind);
  return write(program, definition);
}
