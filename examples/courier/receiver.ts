import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { isSigned } from "./signature.ts";

/*
 * The other side: somebody else's server, as good as such servers are. It knows nothing of courier but the secrets of
 * its own endpoints, and it writes down what it saw, so that courier's word can be checked against it.
 */

/** How an endpoint behaves. Each is a path of the receiver: /ok, /slow… */
export const moods = {
  ok: "answers 204 at once",
  slow: "answers after 700 ms",
  flaky: "fails each event twice, then takes it",
  fail: "answers 500, always",
  reset: "cuts the connection",
  hang: "never answers",
} as const;
export type Mood = keyof typeof moods;

/** One thing the receiver saw. */
export interface Sighting {
  readonly what: "arrived" | "took" | "refused" | "cut off" | "hung up on";
  readonly mood: Mood;
  /** The event. */
  readonly id: string;
  /** How often this event has come to this path. */
  readonly nth: number;
  readonly isSigned: boolean;
  /** How many calls to this path are open. */
  readonly open: number;
}

/** Which sightings are meant. */
export type Match = Partial<Sighting> | ((sighting: Sighting) => boolean);

const slowMs = 700;
const flakyFailures = 2;
const memory = 10_000;

export class Receiver {
  readonly #server: Server;
  readonly #secrets = new Map<Mood, string>();
  readonly #arrivals = new Map<string, number>();
  readonly #open = new Map<Mood, number>();
  readonly #sightings: Sighting[] = [];
  readonly #watchers = new Set<(sighting: Sighting) => void>();

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From here on, calls to this path must be signed with this secret. */
  expect(mood: Mood, secret: string): void {
    this.#secrets.set(mood, secret);
  }

  /** What it saw, oldest first; the newest 10,000. */
  seen(match: Match = {}): Sighting[] {
    return this.#sightings.filter((sighting) => matches(sighting, match));
  }

  /** Resolves with the first such sighting, from the past or when it comes. */
  async until(match: Match, signal?: AbortSignal): Promise<Sighting> {
    const past = this.#sightings.find((sighting) => matches(sighting, match));
    if (past !== undefined) return past;
    return new Promise<Sighting>((resolve, reject) => {
      const leave = (): void => {
        this.#watchers.delete(watch);
        signal?.removeEventListener("abort", giveUp);
      };
      const watch = (sighting: Sighting): void => {
        if (!matches(sighting, match)) return;
        leave();
        resolve(sighting);
      };
      const giveUp = (): void => {
        leave();
        reject(
          new Error(`the receiver never saw ${typeof match === "function" ? "it" : JSON.stringify(match)}`),
        );
      };
      this.#watchers.add(watch);
      signal?.addEventListener("abort", giveUp);
      if (signal?.aborted === true) giveUp();
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const mood = (request.url ?? "").slice(1) as Mood;
    if (!Object.hasOwn(moods, mood)) {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ moods, saw: this.#sightings.slice(-50) }, undefined, 2));
      return;
    }
    if (request.method !== "POST") {
      // How an endpoint's health is asked for. One that hangs does so here too.
      if (mood === "reset") request.socket.resetAndDestroy();
      else if (mood !== "hang") response.writeHead(mood === "fail" ? 500 : 204).end();
      return;
    }

    const body = await textOf(request);
    const id = String(request.headers["webhook-id"] ?? "");
    const nth = (this.#arrivals.get(`${mood} ${id}`) ?? 0) + 1;
    this.#arrivals.set(`${mood} ${id}`, nth);
    if (this.#arrivals.size > memory) this.#arrivals.delete(this.#arrivals.keys().next().value ?? "");
    this.#open.set(mood, (this.#open.get(mood) ?? 0) + 1);
    const secret = this.#secrets.get(mood);
    const signed = secret !== undefined && isSigned(secret, request.headers, body);
    const saw = (what: Sighting["what"]): void =>
      this.#saw({ what, mood, id, nth, isSigned: signed, open: this.#open.get(mood) ?? 0 });
    let isOpen = true;
    const end = (what: Sighting["what"]): void => {
      if (!isOpen) return;
      isOpen = false;
      this.#open.set(mood, (this.#open.get(mood) ?? 1) - 1);
      saw(what);
    };

    saw("arrived");
    response.once("close", () => end(mood === "reset" ? "cut off" : "hung up on"));
    const finish = (status: number): void => {
      if (response.destroyed) return;
      end(status < 300 ? "took" : "refused");
      response.writeHead(status).end();
    };

    if (!signed) finish(401);
    else if (mood === "ok") finish(204);
    else if (mood === "slow") setTimeout(finish, slowMs, 204);
    else if (mood === "flaky") finish(nth > flakyFailures ? 204 : 503);
    else if (mood === "fail") finish(500);
    else if (mood === "reset") request.socket.resetAndDestroy();
    // "hang" says nothing, for as long as the caller waits.
  }

  #saw(sighting: Sighting): void {
    this.#sightings.push(sighting);
    if (this.#sightings.length > memory) this.#sightings.shift();
    for (const watch of this.#watchers) watch(sighting);
  }
}

function matches(sighting: Sighting, match: Match): boolean {
  if (typeof match === "function") return match(sighting);
  return Object.entries(match).every(([key, value]) => sighting[key as keyof Sighting] === value);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
