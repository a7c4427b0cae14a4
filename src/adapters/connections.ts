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
  on(event: "connection", listener: (socket: SocketLike) => void): unknown;
}

/** How long a peer may take to read what was still to be sent, in ms. */
const PATIENCE = 1_000;

/**
 * The open connections of a server, upgraded ones included: of those node:http knows nothing any more, yet its server
 * is not closed before they are.
 */
export class Connections {
  readonly #sockets = new Set<SocketLike>();
  #timer: Timer | undefined;
  #isEnding = false;

  constructor(server: ServerLike) {
    server.on("connection", (socket) => this.add(socket));
  }

  /** For those that came in another way. A second time changes nothing. */
  add(socket: SocketLike): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) clearTimer(this.#timer);
    });
    if (this.#isEnding) socket.destroy();
  }

  /** Ends all of them, and any that still comes. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const socket of this.#sockets) {
      if (socket.destroySoon === undefined) socket.destroy();
      else socket.destroySoon();
    }
    if (this.#sockets.size > 0) this.#timer = callLater(PATIENCE, destroyAll, this.#sockets);
  }
}

function destroyAll(sockets: Set<SocketLike>): void {
  for (const socket of sockets) socket.destroy();
}
