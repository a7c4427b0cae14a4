import type { SuspendedFunction } from "./graph.ts";
import { OriginalNames } from "./original-names.ts";
import type { Place, ScriptInfo } from "./scripts.ts";
import { inText, SourceMaps } from "./source-maps.ts";
import { pathOf, TargetFiles } from "./target-files.ts";
import type { SourceMap } from "./vendor/trace-mapping.ts";

/** A place in a file that people know: lines and columns are counted from 1. */
export interface Location {
  /** A path, or what else the script or the source goes by; undefined where it has no name, as code of `eval`. */
  readonly file: string | undefined;
  /** Undefined where V8 does not say. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** The same place in the file that runs, where a source map led to another. */
  readonly generated: FilePlace | undefined;
}

/** A place in a file; the file is undefined where it has no name. */
export interface FilePlace extends Place {
  readonly file: string | undefined;
}

/** What is known of one place: where it is, and how to find what is written there. */
interface Found {
  readonly location: Location;
  readonly text: () => string | undefined;
  /** What the source map calls the file; undefined where none led there. */
  readonly source?: string;
}

/** Tells where suspended functions stand in the files that people wrote, through source maps. */
export class Locations {
  readonly #files: TargetFiles;
  readonly #maps: SourceMaps | undefined;
  readonly #names: OriginalNames | undefined;
  readonly #found = new Map<ScriptInfo, Map<string, Found>>();
  readonly #lines = new Map<string, readonly string[]>();

  /**
   * Of a process. Without `maps`: where they stand in the files that run. Where there is no time for more, no more than
   * `maxBytes` of files are read, and maps that would be more are not used.
   */
  constructor(pid: number, maps: boolean, maxBytes?: number) {
    this.#files = new TargetFiles(pid, maxBytes);
    this.#maps = maps ? new SourceMaps(this.#files) : undefined;
    this.#names = this.#maps && new OriginalNames(this.#maps, (map, source) => this.#textOf(map, source));
  }

  /** Which source maps could not be used. */
  get warnings(): readonly string[] {
    return this.#maps?.warnings ?? [];
  }

  of(one: SuspendedFunction): Location {
    return this.#find(one).location;
  }

  /** What a function is called in the file that people wrote, where that is certain; else what V8 calls it. */
  nameOf(one: SuspendedFunction): string {
    const { source } = this.#find(one);
    return source === undefined ? one.name : (this.#names?.of(one, source) ?? one.name);
  }

  /** The line of source at which it stands; undefined where the source cannot be read. */
  sourceLineOf(one: SuspendedFunction): string | undefined {
    const { location, text } = this.#find(one);
    if (location.line === undefined) return undefined;
    const source = text();
    if (source === undefined) return undefined;
    const offset = location.generated === undefined ? one.script.lineOffset : 0;
    return this.#linesOf(source)[location.line - 1 - offset];
  }

  #find({ script, place }: SuspendedFunction): Found {
    let places = this.#found.get(script);
    if (places === undefined) this.#found.set(script, (places = new Map<string, Found>()));
    const key = place === undefined ? "" : `${place.line}:${place.column}`;
    let found = places.get(key);
    if (found === undefined) places.set(key, (found = this.#locate(script, place)));
    return found;
  }

  #locate(script: ScriptInfo, place: Place | undefined): Found {
    const file = script.url === undefined ? undefined : (pathOf(script.url) ?? script.url);
    const generated: Found = {
      location: { file, line: place?.line, column: place?.column, generated: undefined },
      text: () => script.source ?? (file === undefined ? undefined : this.#files.text(file)),
    };
    const map = place && this.#maps?.of(script);
    if (place === undefined || map === undefined) return generated;
    const original = map.originalOf(...inText(script, place));
    if (original === undefined) return generated;
    const path = pathOf(original.source);
    return {
      location: {
        file: path ?? original.source,
        line: original.line,
        column: original.column + 1,
        generated: { file, ...place },
      },
      text: () => this.#textOf(map, original.source),
      source: original.source,
    };
  }

  #textOf(map: SourceMap, source: string): string | undefined {
    const path = pathOf(source);
    return map.contentOf(source) ?? (path === undefined ? undefined : this.#files.text(path));
  }

  #linesOf(source: string): readonly string[] {
    let lines = this.#lines.get(source);
    if (lines === undefined) this.#lines.set(source, (lines = source.split(/\r\n|[\n\r\u2028\u2029]/)));
    return lines;
  }
}
