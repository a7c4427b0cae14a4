import { callLater, clearTimer, type Timer } from "../core/clock.ts";

/** A connection, as far as it matters here. */
export interface SocketLike {
  once(event: "close", listener: () => void): unknown;
  destroy(): unknown;
  /** Sends what is still to be sent, then destroys. */
  destroySoon?(): unknown;
}

/** A server that says which connections come in. */
export interface ServerLike {
  on(event: "connection" | "secureConnection", listener: (socket: SocketLike) => void): unknown;
  /** Of TLS servers alone. */
  setSecureContext?: unknown;
  /** Of HTTP/1 alone. */
  closeIdleConnections?(): void;
}

/** A response of node:http. */
export interface UnsentResponse {
  /** Whether all of it was written; it may still have to be sent. */
  finished?: boolean;
}

/** How long a peer may take to read what was still to be sent, in ms. */
const PATIENCE = 1_000;

/**
 * The open connections of a server, upgraded ones included: of those node:http knows nothing any more, yet its server
 * is not closed before they are.
 */
export class Connections {
  readonly #sockets = new Set<SocketLike>();
  /** What carries a TLS connection: ended by itself, it would cut off what that has still to send. */
  readonly #carriers = new Set<SocketLike>();
  #timer: Timer | undefined;
  #isEnding = false;

  constructor(server: ServerLike) {
    const isSecure = server.setSecureContext !== undefined;
    server.on("connection", (socket) => this.#add(isSecure ? this.#carriers : this.#sockets, socket));
    if (isSecure) server.on("secureConnection", (socket) => this.add(socket));
  }

  /** For those that came in another way. A second time changes nothing. */
  add(socket: SocketLike): void {
    this.#add(this.#sockets, socket);
  }

  /** Ends all of them, and any that still comes. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const socket of this.#sockets) {
      if (socket.destroySoon === undefined) socket.destroy();
      else socket.destroySoon();
    }
    if (this.#isAnyOpen()) this.#timer = callLater(PATIENCE, destroyAll, [this.#sockets, this.#carriers]);
  }

  #add(to: Set<SocketLike>, socket: SocketLike): void {
    if (to.has(socket)) return;
    to.add(socket);
    socket.once("close", () => {
      to.delete(socket);
      if (!this.#isAnyOpen()) clearTimer(this.#timer);
    });
    if (this.#isEnding) socket.destroy();
  }

  #isAnyOpen(): boolean {
    return this.#sockets.size + this.#carriers.size > 0;
  }
}

function destroyAll(sets: readonly Set<SocketLike>[]): void {
  for (const sockets of sets) for (const socket of sockets) socket.destroy();
}

/**
 * A server of node:http, when it closes, takes a connection for idle whose response was written but has not been sent,
 * and cuts off what the client was reading. Keeps it from those.
 */
export function spareUnsent(server: ServerLike, unsent: () => Iterable<UnsentResponse>): void {
  const { closeIdleConnections } = server;
  if (closeIdleConnections === undefined) return;
  server.closeIdleConnections = () => {
    const spared = [...unsent()].filter((response) => response.finished === true);
    for (const response of spared) response.finished = false;
    try {
      closeIdleConnections.call(server);
    } finally {
      for (const response of spared) response.finished = true;
    }
  };
}
