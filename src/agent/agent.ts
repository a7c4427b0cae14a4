import { chmodSync } from "node:fs";
import type { Server } from "node:http";
import { outside } from "../core/context.ts";
import { kinds } from "../core/events.ts";
import type { FindingEvent } from "../core/info.ts";
import { scopeViewOf } from "../core/group-scope.ts";
import { ScopeView } from "../core/scope-view.ts";
import type { Scope } from "../core/types.ts";
import { KeptFindings } from "../watch/kept-findings.ts";
import type { JournalFailure } from "../watch/journal/format.ts";
import type { Listen } from "./event-stream.ts";
import { isAnswered, makeFolder, runtimeFolder, socketOf, sweepStale, unlinkSocket } from "./folder.ts";
import { LoopMeter } from "./loop-meter.ts";
import { Roots } from "./roots.ts";
import { serverOf } from "./server.ts";

/** Options of `startAgent`. */
export interface AgentOptions {
  /** What the process goes by: unique names are easier to ask for. */
  readonly name: string;
  /** What it tells of. @default every root scope of this copy of holdfast */
  readonly scope?: Scope;
  /** What is held to be wrong. @default what is said to be so from now on, the newest 100 */
  readonly findings?: () => readonly FindingEvent[];
  /** What nobody caught or handled. @default nothing */
  readonly failures?: () => readonly JournalFailure[];
  /** Has what watches look now; resolves when what it has found is said. @default nothing */
  readonly look?: () => Promise<void>;
  /** Begins the end of the process. @default `requestClose(reason)` of the scopes it tells of */
  readonly drain?: (reason: string) => void;
  /** Where its socket is to be. @default the runtime folder of this user */
  readonly folder?: string;
  /** How long a stream of events may be silent, in ms. @default 15_000 */
  readonly heartbeat?: number;
  /** How many events wait for a slow reader of them. @default 1_000 */
  readonly buffer?: number;
}

/** What answers questions about this process, from other processes of the same user. */
export interface Agent {
  /** The path of its socket; of its pipe, on Windows. */
  readonly socket: string;
  /** Cuts off who is connected, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Answers questions about this process: HTTP on a unix socket that only the same user can reach. It keeps no process
 * alive, and costs nothing while nobody asks.
 *
 * @throws FolderError (as a rejection) where other users could reach the socket; what `listen` throws; Error where an
 * agent runs in this process already.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { name, scope, folder = runtimeFolder() } = options;
  const { heartbeat = 15_000, buffer = 1_000, failures = () => [] } = options;
  const { look = () => Promise.resolve() } = options;
  const roots = new Roots(scope === undefined ? undefined : ScopeView.nodeOf(scope));
  const drain =
    options.drain ??
    ((reason: string): void => {
      for (const node of roots.nodes) scopeViewOf(node).requestClose(reason);
    });
  const listen = scope === undefined ? listenToAll : listenTo(scope);
  const kept = new KeptFindings();
  const stopHearing =
    options.findings === undefined ? listen("finding", (event) => kept.keep(event)) : undefined;
  const findings = options.findings ?? ((): readonly FindingEvent[] => kept.list);
  const meter = new LoopMeter();
  const socket = socketOf(process.pid, folder);
  makeFolder(folder);
  await sweepStale(folder);
  if (await isAnswered(socket)) throw new Error(`an agent listens on ${socket} already`);
  // Nobody answers there, and it has our pid: it is of an earlier process.
  if (process.platform !== "win32") unlinkSocket(socket);
  // Outside of whatever task starts it: what it does later is nobody's.
  const subject = { name, roots, findings, failures, look, drain, listen, meter, heartbeat, buffer };
  const server = outside(() => serverOf(subject));
  await outside(() => open(server, socket));
  const onExit = (): void => remove(socket);
  process.once("exit", onExit);
  return {
    socket,
    close: () => {
      process.off("exit", onExit);
      stopHearing?.();
      return close(server, socket);
    },
  };
}

function open(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, () => {
      server.off("error", reject);
      server.unref();
      // The folder keeps others out already; this is for who moves the socket elsewhere.
      if (process.platform !== "win32") chmodSync(socket, 0o600);
      resolve();
    });
  });
}

function close(server: Server, socket: string): Promise<void> {
  return new Promise((resolve) => {
    // Node removes the socket when it closes the server.
    server.close(() => {
      remove(socket);
      resolve();
    });
    server.closeAllConnections();
  });
}

function remove(socket: string): void {
  if (process.platform !== "win32") unlinkSocket(socket);
}

function listenTo(scope: Scope): Listen {
  return (type, listener) => scope.on(type, listener);
}

/** Through the diagnostics channels, which hear of every root. */
const listenToAll: Listen = (type, listener) => {
  const { channel } = kinds[type];
  const own = (event: unknown): void => listener(event as Parameters<typeof listener>[0]);
  channel.subscribe(own);
  return () => {
    channel.unsubscribe(own);
  };
};
