import { lstatSync, readdirSync, statSync, unlinkSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { connect } from "node:net";
import { wall } from "../core/clock.ts";
import { makeMissing } from "../watch/journal/folder.ts";
import { hasPid, startOf as startTicksOf, textOf } from "../watch/pids.ts";

/*
 * Where the agents of one user listen: a folder of sockets, each named by the pid of its process. To find them is to
 * list the folder. Who may use them is decided by the rights of the folder alone.
 */

const isWindows = process.platform === "win32";
const PIPES = "\\\\.\\pipe\\";
/** What a socket's address has room for (unix(7), and less on macOS), the byte at its end left out. */
const MAX_PATH = process.platform === "darwin" ? 103 : 107;
/** Who may do more than its owner. */
const OTHERS = 0o077;

/** The folder that sockets are to be in cannot be trusted, or not be used. */
class FolderError extends Error {
  override readonly name = "FolderError";
  readonly code = "HF_FOLDER_REFUSED";
}

/** A process that says it has an agent. */
export interface AgentPlace {
  readonly pid: number;
  /** The path of its socket. */
  readonly socket: string;
}

/**
 * The folder: `$XDG_RUNTIME_DIR/holdfast`, where that is set and this user's own, else `holdfast-UID` in the folder for
 * temporary files. (A `sudo` that keeps the environment leaves another user's `XDG_RUNTIME_DIR` set.)
 */
export function runtimeFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_RUNTIME_DIR: given } = env;
  if (given !== undefined && isAbsolute(given) && isOwn(given)) return join(given, "holdfast");
  return join(tmpdir(), `holdfast-${process.geteuid?.() ?? 0}`);
}

function isOwn(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.();
}

/** Where the agent of a process listens. */
export function socketOf(pid: number, folder: string = runtimeFolder()): string {
  // One name space for all users there; the pipe's own rights keep others from writing.
  return isWindows ? `${PIPES}holdfast-${userInfo().username}-${pid}` : join(folder, `${pid}.sock`);
}

/** Makes the folder, if need be, and looks whether it is one that nobody else can touch. Throws `FolderError`. */
export function makeFolder(folder: string = runtimeFolder()): void {
  if (isWindows) return;
  makeMissing(folder);
  checkFolder(folder);
  if (Buffer.byteLength(socketOf(process.pid, folder)) > MAX_PATH)
    throw new FolderError(
      `${folder} is too long a path for a socket (${MAX_PATH} bytes): set TMPDIR or XDG_RUNTIME_DIR to a shorter one`,
    );
}

/** Whether the folder is there. Throws `FolderError` where somebody else could have put something into it. */
export function checkFolder(folder: string): boolean {
  if (isWindows) return true;
  const stats = lstatSync(folder, { throwIfNoEntry: false });
  if (stats === undefined) return false;
  // Not followed: in a folder that all may write to, a link is another user's way to lead us elsewhere.
  if (!stats.isDirectory()) throw new FolderError(`${folder} is no folder: remove it`);
  const user = process.geteuid?.();
  if (user !== undefined && stats.uid !== user)
    throw new FolderError(`${folder} belongs to user ${stats.uid}, and this runs as user ${user}: remove it`);
  if ((stats.mode & OTHERS) !== 0)
    throw new FolderError(
      `${folder} can be used by other users (its mode is ${(stats.mode & 0o777).toString(8)}): chmod 700 ${folder}`,
    );
  return true;
}

/** The agents that there seem to be, by pid. Whether one answers shows only when it is asked. */
export function listPlaces(folder: string = runtimeFolder()): AgentPlace[] {
  if (!checkFolder(folder)) return [];
  const pattern = isWindows
    ? new RegExp(`^holdfast-${escape(userInfo().username)}-(\\d+)$`)
    : /^(\d+)\.sock$/;
  return readdirSync(isWindows ? PIPES : folder)
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map((pid) => ({ pid: Number(pid), socket: socketOf(Number(pid), folder) }))
    .toSorted((a, b) => a.pid - b.pid);
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Whether somebody listens on a socket. */
export function isAnswered(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const own = connect(socket);
    const done = (answer: boolean): void => {
      own.destroy();
      resolve(answer);
    };
    own.once("connect", () => done(true));
    // Full, or not allowed, is not unanswered.
    own.once("error", (error: NodeJS.ErrnoException) => done(!isUnanswered(error)));
  });
}

/** What connecting says where nobody listens, or the socket has gone. */
export function isUnanswered(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

/**
 * Removes the socket of a process that was killed. It is called when nobody answers on it; and it removes it only if,
 * besides, the process has gone, or is a later one with the same pid. (A process in a container has a pid that says
 * nothing here, but answers; one that begins to listen this moment does not answer yet, but lives.) Tells whether it was so.
 */
export function removeStale({ pid, socket }: AgentPlace): boolean {
  const stats = lstatSync(socket, { throwIfNoEntry: false });
  if (stats === undefined) return true;
  if (!stats.isSocket()) return false;
  if (hasPid(pid)) {
    const startedAt = startOf(pid);
    // The clock of the file system may be coarse; the pid of a process is not used again within a second.
    if (startedAt === undefined || startedAt < stats.mtimeMs + 1000) return false;
  }
  unlinkSocket(socket);
  return true;
}

/** So many sockets of the dead are looked for at once. */
const MAX_STALE = 100;

/** Removes the sockets that killed processes have left; those that answer live elsewhere, where pids are others. */
export async function sweepStale(folder: string): Promise<void> {
  const dead = listPlaces(folder).filter(({ pid }) => !hasPid(pid));
  await Promise.all(
    dead.slice(0, MAX_STALE).map(async (place) => {
      if (!(await isAnswered(place.socket))) removeStale(place);
    }),
  );
}

/** Removes a socket; nothing happens where it has gone. */
export function unlinkSocket(socket: string): void {
  try {
    unlinkSync(socket);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** A tick of `/proc/PID/stat`, in ms: USER_HZ is 100 wherever Linux runs. */
const TICK = 10;

/** When a process began, in ms since the epoch; undefined where there is no `/proc`, or no such process. */
export function startOf(pid: number): number | undefined {
  const old = ageOf(pid);
  return old === undefined ? undefined : Math.round(wall() - old);
}

/** How old a process is, in ms; undefined where there is no `/proc`, or no such process. */
export function ageOf(pid: number): number | undefined {
  const start = startTicksOf(pid);
  const up = textOf("/proc/uptime");
  if (start === undefined || start === "none" || up === undefined) return undefined;
  return Math.max(0, Math.round(Number(up.split(" ")[0]) * 1000 - start.ticks * TICK));
}
