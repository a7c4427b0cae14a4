import type { FunctionInfo, Functions } from "./functions.ts";
import type { Place, ScriptInfo } from "./scripts.ts";
import type { Suspended } from "./suspended.ts";

/** What all functions share that stand at the same `await` or `yield`, go by the same name, and are of the same task. */
export interface Site {
  readonly name: string;
  readonly info: FunctionInfo;
  readonly place: Place | undefined;
  readonly isGenerator: boolean;
  readonly isAwaiting: boolean;
  readonly continuation: number;
  readonly bytecodeOffset: number;
  readonly map: number;
  /** The native context of its closure. */
  readonly realm: number;
  /** Of the task of holdfast that they belong to. */
  readonly path: string | undefined;
}

/**
 * Numbers for sites, the same in several pictures of a process for what reads the same: then two looks at a function
 * are compared by numbers. Nothing but what was read in each picture decides it.
 */
export class Sites {
  /** By number; of a site that was met in several pictures, as the last one has it. */
  readonly all: Site[] = [];
  readonly #numbers = new Map<string, number>();
  /** By what of a script is short. */
  readonly #scripts = new Map<string, ScriptInfo[]>();
  readonly #wordsOfScripts = new WeakMap<ScriptInfo, string>();

  /** Begins a picture. */
  in(functions: Functions): SitesInPicture {
    return new SitesInPicture(functions, this);
  }

  numberOf(site: Site): number {
    const { name, info, place, isGenerator, isAwaiting, continuation, bytecodeOffset, map, realm, path } =
      site;
    const kind = `${isGenerator ? "*" : ""}${isAwaiting ? "await" : ""}${continuation}`;
    const at = `${place?.line}:${place?.column} ${bytecodeOffset} of ${info.bytecodeLength}`;
    const key = [kind, at, map, realm, this.#scriptOf(info.script), info.name, name, path ?? "/"].join("\n");
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, (number = this.all.length));
    this.all[number] = site;
    return number;
  }

  /** What a script is told by: all of it, for of code of `eval` nothing but its text may tell one from the other. */
  #scriptOf(script: ScriptInfo): string {
    const known = this.#wordsOfScripts.get(script);
    if (known !== undefined) return known;
    const { url, sourceMapUrl, source, lineOffset, columnOffset } = script;
    const short = [url, sourceMapUrl?.length, source?.length, lineOffset, columnOffset].join(" ");
    let alike = this.#scripts.get(short);
    if (alike === undefined) this.#scripts.set(short, (alike = []));
    let index = alike.findIndex((one) => one.source === source && one.sourceMapUrl === sourceMapUrl);
    if (index < 0) index = alike.push(script) - 1;
    const word = `${short} ${index}`;
    this.#wordsOfScripts.set(script, word);
    return word;
  }
}

/** Which functions of one picture stand at which site. */
class SitesInPicture {
  readonly #functions: Functions;
  readonly #sites: Sites;
  /** Of each function, the site that was found last: as a rule the next closure stands there, too. */
  readonly #last = new Map<FunctionInfo, { readonly site: Site; readonly number: number }>();
  /** By map: an async function has that of its realm, an async generator one of its own. */
  readonly #realms = new Map<number, number>();

  constructor(functions: Functions, sites: Sites) {
    this.#functions = functions;
    this.#sites = sites;
  }

  /** The number of the site of a suspended function; -1 where its words lead to no function, or to some other one. */
  of(one: Suspended, path: string | undefined): number {
    const info = this.#functions.of(one.closure);
    if (info === undefined) return -1;
    const name = this.#functions.nameOf(one.closure, info);
    const last = this.#last.get(info);
    if (last !== undefined && isAt(last.site, one, name, path)) return last.number;
    const { isGenerator, isAwaiting, continuation, bytecodeOffset, map } = one;
    const place = this.#functions.placeOf(info, bytecodeOffset);
    const realm = this.#realmOf(one);
    const site = {
      name,
      info,
      place,
      isGenerator,
      isAwaiting,
      continuation,
      bytecodeOffset,
      map,
      realm,
      path,
    };
    const number = this.#sites.numberOf(site);
    this.#last.set(info, { site, number });
    return number;
  }

  #realmOf({ map, closure }: Suspended): number {
    let realm = this.#realms.get(map);
    if (realm === undefined) this.#realms.set(map, (realm = this.#functions.realmOf(closure)));
    return realm;
  }
}

function isAt(site: Site, one: Suspended, name: string, path: string | undefined): boolean {
  return (
    site.continuation === one.continuation &&
    site.bytecodeOffset === one.bytecodeOffset &&
    site.isGenerator === one.isGenerator &&
    site.isAwaiting === one.isAwaiting &&
    site.map === one.map &&
    site.name === name &&
    site.path === path
  );
}
