import { chmodSync, existsSync, lstatSync, mkdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

/** Where dead processes' journals go, inside of the folder of the others. */
export const ARCHIVE = "archive";

/** Where journals are, the best place first: the second is for a user who has no home that can be written. */
export function journalFolders(): readonly string[] {
  const state = stateFolder();
  const spare = join(tmpdir(), `holdfast-${process.geteuid?.() ?? "user"}`);
  return state === undefined ? [spare] : [join(state, "holdfast", "journals"), spare];
}

/** Where programs of this user keep what they have to know when they start again. */
function stateFolder(): string | undefined {
  const { XDG_STATE_HOME: state = "", LOCALAPPDATA: local = "" } = process.env;
  if (process.platform === "win32") return isAbsolute(local) ? local : undefined;
  // A relative one is to be ignored, says the specification.
  if (isAbsolute(state)) return state;
  const home = homeFolder();
  if (home === undefined) return undefined;
  return process.platform === "darwin"
    ? join(home, "Library", "Application Support")
    : join(home, ".local", "state");
}

function homeFolder(): string | undefined {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : undefined;
  } catch {
    // A user without an entry in the system's list has none.
    return undefined;
  }
}

/** Makes a folder that only this user can look into. Throws where that cannot be. */
export function makeFolder(folder: string): void {
  makeMissing(folder);
  const why = refusalOf(folder);
  if (why !== undefined) throw new Error(why);
  if (process.platform !== "win32" && (lstatSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/**
 * Makes a folder and those that it is in, as far as they are missing, for this user alone. One by one: Node's own way of
 * making several never ends where the system says that a parent, which is there, is not.
 */
export function makeMissing(folder: string): void {
  const missing: string[] = [];
  for (let at = folder; !existsSync(at) && dirname(at) !== at; at = dirname(at)) missing.push(at);
  for (const one of missing.reverse()) {
    try {
      mkdirSync(one, { mode: 0o700 });
    } catch (error) {
      // Another process has made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/**
 * Why a folder is not used; undefined where it is this user's. In a folder for everybody, such as that for temporary
 * files, another user may have made it first, or a link in its place, so as to read what is written, or to have it read
 * what they wrote.
 */
export function refusalOf(folder: string): string | undefined {
  const stats = lstatSync(folder);
  if (!stats.isDirectory()) return `${folder} is no folder`;
  const own = process.geteuid?.();
  if (own !== undefined && stats.uid !== own) return `${folder} belongs to user ${stats.uid}`;
  return undefined;
}
