import { FlattenMap, originalPositionFor, sourceContentFor, traceSegment } from "@jridgewell/trace-mapping";

/*
 * The one door to the library that decodes source maps. The build bundles this file with the library inside, so that
 * the package depends on nothing; its types stay in here.
 */

/** A place in an original source; the line counted from 1, the column from 0, as source maps do. */
export interface Original {
  readonly source: string;
  readonly line: number;
  readonly column: number;
  /** What the original calls what stands there; undefined where the map does not say. */
  readonly name: string | undefined;
}

/** A source map, decoded when it is first asked. */
export interface SourceMap {
  /** From a place in the generated file, counted in the same way; undefined where the map has nothing there. */
  readonly originalOf: (line: number, column: number) => Original | undefined;
  /** The same, only where a mapping begins right at the place. */
  readonly originalOfToken: (line: number, column: number) => Original | undefined;
  /** The text of a source, where the map brings it along. */
  readonly contentOf: (source: string) => string | undefined;
}

/** Opens the JSON of a source map, sections included. Its sources are relative to `url`. Throws for what is no map. */
export function openSourceMap(json: string, url: string): SourceMap {
  const map = new FlattenMap(json, url);
  const originalOf = (line: number, column: number): Original | undefined => {
    const found = originalPositionFor(map, { line, column });
    if (found.source === null) return undefined;
    return {
      source: found.source,
      line: found.line,
      column: found.column,
      name: found.name ?? undefined,
    };
  };
  return {
    originalOf,
    originalOfToken: (line, column) =>
      traceSegment(map, line - 1, column)?.[0] === column ? originalOf(line, column) : undefined,
    contentOf: (source) => sourceContentFor(map, source) ?? undefined,
  };
}
