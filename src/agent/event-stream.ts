import type { ServerResponse } from "node:http";
import { nextTurn, wall } from "../core/clock.ts";
import type { ScopeEvent, ScopeEventName, ScopeEventOf } from "../core/info.ts";
import { SCHEMA } from "./answers.ts";
import type { HelloMessage, MissedMessage } from "./answers.ts";
import { toJsonText } from "./json.ts";

/** Calls `listener` for every event of a kind. Returns the function that stops. */
export type Listen = <T extends ScopeEventName>(
  type: T,
  listener: (event: ScopeEventOf<T>) => void,
) => () => void;

/** Who is listened to, and for what. */
export interface StreamOptions {
  readonly name: string;
  readonly types: readonly ScopeEventName[];
  /** Only what happens at paths that begin so. */
  readonly path: string | undefined;
  /** How long nothing is said before a comment keeps the connection alive, in ms. */
  readonly heartbeat: number;
  /** How many events wait for a reader that is slower than they come. */
  readonly buffer: number;
}

/**
 * Tells one client of events as they happen, as server-sent events. What happens in one turn of the event loop goes out
 * together, in the next one: the code that an event comes from pays for no JSON and no system call. A reader that is too
 * slow gets the oldest of what it has not read, and is told how many it missed.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #options: StreamOptions;
  readonly #stops: (() => void)[];
  #waiting: ScopeEvent[] = [];
  #missed = 0;
  #id = 0;
  #isDue = false;
  /** What was written last has not been taken yet. */
  #isBlocked = false;

  constructor(response: ServerResponse, options: StreamOptions, listen: Listen) {
    this.#response = response;
    this.#options = options;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
    });
    this.#stops = options.types.map((type) => listen(type, (event) => this.#take(event)));
    const { name, types } = options;
    this.#say("hello", {
      schema: SCHEMA,
      at: Math.round(wall()),
      name,
      pid: process.pid,
      types,
    } satisfies HelloMessage);
    response.on("drain", () => this.#onDrain());
    // Of the socket, which nobody has to wait for: a timer of the clock would keep the process alive.
    response.setTimeout(options.heartbeat, () => this.#beat());
    response.once("close", () => this.#stop());
  }

  #take(event: ScopeEvent): void {
    const { path } = this.#options;
    if (path !== undefined && !pathOf(event).startsWith(path)) return;
    if (this.#waiting.length >= this.#options.buffer) {
      this.#missed++;
      return;
    }
    this.#waiting.push(event);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isDue || this.#isBlocked) return;
    this.#isDue = true;
    nextTurn(() => this.#flush());
  }

  #flush(): void {
    this.#isDue = false;
    if (this.#isBlocked || this.#response.destroyed) return;
    const events = this.#waiting;
    this.#waiting = [];
    const missed = this.#missed;
    this.#missed = 0;
    const messages = events.map((event) => message(event.type, event, ++this.#id));
    // They were left out because the buffer was full: after what is in it, before what comes now.
    if (missed > 0)
      messages.push(message("missed", { missed } satisfies MissedMessage, (this.#id += missed)));
    this.#isBlocked = !this.#response.write(messages.join(""));
  }

  #say(event: string, data: unknown): void {
    this.#isBlocked = !this.#response.write(message(event, data, this.#id));
  }

  #onDrain(): void {
    this.#isBlocked = false;
    if (this.#waiting.length > 0 || this.#missed > 0) this.#flushSoon();
  }

  #beat(): void {
    if (!this.#isBlocked) this.#isBlocked = !this.#response.write(": alive\n\n");
  }

  #stop(): void {
    for (const stop of this.#stops) stop();
    this.#waiting = [];
  }
}

function message(event: string, data: unknown, id: number): string {
  return `id: ${id}\nevent: ${event}\ndata: ${toJsonText(data)}\n\n`;
}

function pathOf(event: ScopeEvent): string {
  if (event.type === "state") return event.scope;
  return event.type === "finding" ? event.path : event.task.path;
}
