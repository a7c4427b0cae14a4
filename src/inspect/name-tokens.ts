/*
 * Where a text of JavaScript or TypeScript gives a function its name. There is no parser here: only what stands right
 * before the function is looked at, and where that is not plain, nothing is found.
 */

/** The token from which a function has its name. */
export interface NameToken {
  /** Where it begins. */
  readonly offset: number;
  /** What stands between it and the function; undefined where the name is the function's own: `async function name(`. */
  readonly sign: "=" | ":" | undefined;
  /** Where the function begins: at its `async`; for one with a name of its own, at its parameters. */
  readonly begin: number;
}

/** No name, no type and no space between them is longer. */
const MAX_TEXT = 1000;
const NAME = /^#?[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** What makes another name of the one that it stands beside. */
const PART = /[\p{ID_Continue}$\\#.]/u;
/** The end of what stands before the parameters of a function without a name of its own, and before a name. */
const ANONYMOUS = /(?<![\p{ID_Continue}$#.])async\s+function\s*\*?\s*$/u;
const BEFORE_NAME = /(?<![\p{ID_Continue}$#.])async[\s*]*(function[\s*]*)?$/u;
const SIGN = /([=:])\s*$/;
const BRACKETS = /<[^<>()[\]{}]*>|\([^<>()[\]{}]*\)|\[[^<>()[\]{}]*\]|\{[^<>()[\]{}]*\}/g;

/**
 * Finds the token by the name and by where V8 says that the function begins: at its parameters; an arrow function at
 * its `async`. Undefined where it has its name in another way.
 */
export function nameToken(text: string, start: number, name: string): NameToken | undefined {
  const isArrow = text.startsWith("async", start);
  if (!NAME.test(name) || (!isArrow && text[start] !== "(")) return undefined;
  const from = Math.max(0, start - MAX_TEXT);
  const head = text.slice(from, start);
  const own = isArrow ? undefined : beginOf(head, name);
  if (own !== undefined) return { offset: from + own, sign: undefined, begin: start };
  const before = isArrow ? head : head.replace(ANONYMOUS, "");
  if (before === head && !isArrow) return undefined;
  const sign = SIGN.exec(before);
  const given = sign === null ? undefined : beginOf(before.slice(0, sign.index), name);
  if (sign === null || given === undefined) return undefined;
  return { offset: from + given, sign: sign[1] as "=" | ":", begin: from + before.length };
}

/** Where the name begins with which a text ends. */
function beginOf(text: string, name: string): number | undefined {
  const end = text.trimEnd();
  const begin = end.length - name.length;
  return end.endsWith(name) && !isInside(end, begin, name) ? begin : undefined;
}

/** Whether what stands before a name makes another one of it; a private name may follow on a word: `async#send(`. */
function isInside(text: string, offset: number, name: string): boolean {
  if (offset === 0) return false;
  const before = text.slice(offset - 1, offset);
  return name.startsWith("#") ? before === "." : PART.test(before);
}

/** Whether a text names an async function so at this offset: `async function name(`, `async name<T>(`. */
export function isNamedAt(text: string, offset: number, name: string): boolean {
  if (!isNameAt(text, offset, name)) return false;
  const end = offset + name.length;
  return (
    BEFORE_NAME.test(text.slice(Math.max(0, offset - MAX_TEXT), offset)) &&
    /^\s*(<[^(){};]*>\s*)?\(/.test(text.slice(end, end + MAX_TEXT))
  );
}

/** Whether a text gives what begins with `async` at `begin` this name at this offset: `name: Type = async …`. */
export function isGivenAt(
  text: string,
  offset: number,
  name: string,
  { sign, begin }: Pick<NameToken, "sign" | "begin">,
): boolean {
  const end = offset + name.length;
  if (!isNameAt(text, offset, name) || begin <= end || begin > end + MAX_TEXT) return false;
  if (!/^async\b/.test(text.slice(begin, begin + 6))) return false;
  let between = text.slice(end, begin).replaceAll("=>", "");
  if (sign === ":") return /^\s*:\s*$/.test(between);
  // Whatever a type has in brackets is of no interest.
  for (let last = ""; last !== between;) {
    last = between;
    between = between.replaceAll(BRACKETS, "");
  }
  return /^\s*!?\s*(:[^=:;,?()[\]{}<>]*)?=\s*$/.test(between);
}

function isNameAt(text: string, offset: number, name: string): boolean {
  return (
    NAME.test(name) &&
    text.startsWith(name, offset) &&
    !PART.test(text.slice(offset + name.length, offset + name.length + 1)) &&
    !isInside(text, offset, name)
  );
}
