import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** When a connection is cut: before the server has got what the client sent, or before the client has the answer. */
export type Cut = "before it arrives" | "before the answer";

/**
 * Stands between a client and a Postgres, and cuts the connection in the middle of one statement: the nth packet of
 * all that the client sends.
 */
export class CuttingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = { host: "", port: 0 };
  #left = Infinity;
  #cut: Cut = "before it arrives";
  /** How many packets the client has sent since `arm`. */
  packets = 0;
  /** Whether it has cut since `arm`. */
  hasCut = false;

  constructor() {
    this.#server = createServer((client) => this.#serve(client));
  }

  /** Starts it; resolves with the URL by which the same database is reached through it. */
  async listen(url: string): Promise<string> {
    const target = new URL(url);
    this.#target = { host: target.hostname, port: Number(target.port) };
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    onTestFinished(() => {
      for (const socket of this.#sockets) socket.destroy();
      this.#server.close();
    });
    target.port = String((this.#server.address() as AddressInfo).port);
    return target.href;
  }

  /** Cuts at the nth packet from now on. */
  arm(nth: number, cut: Cut): void {
    this.#left = nth;
    this.#cut = cut;
    this.packets = 0;
    this.hasCut = false;
  }

  #serve(client: Socket): void {
    const server = connect(this.#target);
    let isMute = false;
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end).on("close", () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    server.on("data", (data) => {
      if (isMute) end();
      else client.write(data);
    });
    client.on("data", (data) => {
      this.packets++;
      if (--this.#left !== 0) {
        server.write(data);
        return;
      }
      this.hasCut = true;
      if (this.#cut === "before it arrives") {
        // Half of it arrives, which is no statement.
        server.write(data.subarray(0, data.length >> 1));
        end();
      } else {
        isMute = true;
        server.write(data);
      }
    });
  }
}
