import { pathToFileURL } from "node:url";
import type { Place, ScriptInfo } from "./scripts.ts";
import { pathOf } from "./target-files.ts";
import type { TargetFiles } from "./target-files.ts";
import { openSourceMap } from "./vendor/trace-mapping.ts";
import type { SourceMap } from "./vendor/trace-mapping.ts";

/**
 * The source maps of scripts, each opened once: a `data:` URL, or a file. A map of a file is used only while the script
 * on the disk is still the one that runs: after a deployment over a live process it speaks of another program.
 */
export class SourceMaps {
  readonly #files: TargetFiles;
  readonly #maps = new Map<ScriptInfo, SourceMap | undefined>();
  readonly #warnings = new Set<string>();

  constructor(files: TargetFiles) {
    this.#files = files;
  }

  /** Which maps could not be used, and why. */
  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  of(script: ScriptInfo): SourceMap | undefined {
    if (script.sourceMapUrl === undefined || script.sourceMapUrl === "") return undefined;
    if (this.#maps.has(script)) return this.#maps.get(script);
    const map = this.#open(script, script.sourceMapUrl);
    this.#maps.set(script, map);
    return map;
  }

  #open(script: ScriptInfo, mapUrl: string): SourceMap | undefined {
    const { url = "" } = script;
    const path = pathOf(url);
    const base = path === undefined ? url : pathToFileURL(path).href;
    try {
      if (/^data:/i.test(mapUrl))
        return this.#files.takes(mapUrl.length) ? openSourceMap(textOfData(mapUrl), base) : undefined;
      const file = fileOf(mapUrl, base);
      const text = file === undefined ? undefined : this.#files.text(file);
      if (file === undefined || text === undefined) {
        this.#warnings.add(`the source map of ${url} is not there: ${mapUrl.slice(0, 100)}`);
        return undefined;
      }
      const onDisk = path === undefined ? undefined : this.#files.text(path);
      if (onDisk !== undefined && onDisk !== script.source) {
        this.#warnings.add(`${url} is not what runs any more: its source map is not used`);
        return undefined;
      }
      return openSourceMap(text, pathToFileURL(file).href);
    } catch (error) {
      this.#warnings.add(
        `the source map of ${url} cannot be read: ${(error as Error).message.slice(0, 200)}`,
      );
      return undefined;
    }
  }
}

/** A place as V8 counts it, as source maps count: in the text of the script, which `vm` may have been told to begin elsewhere. */
export function inText(
  { lineOffset, columnOffset }: ScriptInfo,
  { line, column }: Place,
): [line: number, column: number] {
  const own = line - lineOffset;
  return [own, column - 1 - (own === 1 ? columnOffset : 0)];
}

/** The path of a map, relative to what is mapped; undefined where it is not a file. */
function fileOf(mapUrl: string, base: string): string | undefined {
  if (mapUrl.startsWith("/")) return pathOf(decodeURI(mapUrl));
  return URL.canParse(mapUrl, base) ? pathOf(new URL(mapUrl, base).href) : undefined;
}

/** What a `data:` URL holds: `data:application/json;charset=utf-8;base64,…`. */
function textOfData(url: string): string {
  const comma = url.indexOf(",");
  const body = url.slice(comma + 1);
  return /;\s*base64\s*$/i.test(url.slice(0, comma))
    ? Buffer.from(decodeURIComponent(body), "base64").toString("utf8")
    : decodeURIComponent(body);
}
