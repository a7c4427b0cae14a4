import type { SuspendedFunction } from "./graph.ts";
import { isGivenAt, isNamedAt, nameToken } from "./name-tokens.ts";
import { offsetOf, placeIn } from "./scripts.ts";
import type { Place, ScriptInfo } from "./scripts.ts";
import { inText } from "./source-maps.ts";
import type { SourceMaps } from "./source-maps.ts";
import type { Original, SourceMap } from "./vendor/trace-mapping.ts";

/**
 * The names that functions have in the files that people wrote, where minifiers and bundlers gave them others. A source
 * map names tokens, not functions: so the token is looked for that gives a function its name in the text that runs, and
 * what the map has for it counts only if the original gives an async function that name at that place.
 */
export class OriginalNames {
  readonly #maps: SourceMaps;
  readonly #textOf: (map: SourceMap, source: string) => string | undefined;
  readonly #names = new Map<ScriptInfo, Map<string, string>>();
  /** Texts of sources, as if they were scripts. */
  readonly #texts = new Map<SourceMap, Map<string, ScriptInfo>>();

  constructor(maps: SourceMaps, textOf: (map: SourceMap, source: string) => string | undefined) {
    this.#maps = maps;
    this.#textOf = textOf;
  }

  /** The name in a source in which the function stands; that by which V8 knows it, where another is not certain. */
  of({ name, script, start }: SuspendedFunction, source: string): string {
    if (name === "" || start === undefined) return name;
    let names = this.#names.get(script);
    if (names === undefined) this.#names.set(script, (names = new Map<string, string>()));
    const key = `${start} ${name} ${source}`;
    let found = names.get(key);
    if (found === undefined) names.set(key, (found = this.#find(script, start, name, source) ?? name));
    return found;
  }

  #find(script: ScriptInfo, start: number, own: string, source: string): string | undefined {
    const map = this.#maps.of(script);
    const token = script.source === undefined ? undefined : nameToken(script.source, start, own);
    if (map === undefined || token === undefined) return undefined;
    const original = originalAt(map, script, token.offset);
    if (original?.name === undefined || original.source !== source) return undefined;
    const { name } = original;
    const text = this.#read(map, source);
    const offset = offsetOf(text, placeOf(original));
    if (text.source === undefined || offset === undefined) return undefined;
    if (token.sign === undefined) return isNamedAt(text.source, offset, name) ? name : undefined;
    const begun = originalAt(map, script, token.begin);
    const begin = begun?.source === source ? offsetOf(text, placeOf(begun)) : undefined;
    if (begin === undefined) return undefined;
    return isGivenAt(text.source, offset, name, { sign: token.sign, begin }) ? name : undefined;
  }

  #read(map: SourceMap, name: string): ScriptInfo {
    let texts = this.#texts.get(map);
    if (texts === undefined) this.#texts.set(map, (texts = new Map<string, ScriptInfo>()));
    let text = texts.get(name);
    if (text === undefined) {
      const source = this.#textOf(map, name);
      text = { url: name, sourceMapUrl: undefined, source, lineOffset: 0, columnOffset: 0 };
      texts.set(name, text);
    }
    return text;
  }
}

/** What the map has for the token that begins at an offset of a script. */
function originalAt(map: SourceMap, script: ScriptInfo, offset: number): Original | undefined {
  const place = placeIn(script, offset);
  return place && map.originalOfToken(...inText(script, place));
}

function placeOf({ line, column }: Original): Place {
  return { line, column: column + 1 };
}
