import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** A receiver that takes everything, a moment later, and counts what came: how often which event to which path. */
export class Census {
  readonly #server: Server;
  readonly #arrivals = new Map<string, number>();
  readonly #taken = new Set<string>();
  readonly #watchers = new Set<() => void>();

  constructor(ms: number) {
    this.#server = createServer((request, response) => {
      // Whoever asks how an endpoint is brings no event.
      if (request.method !== "POST") {
        response.writeHead(204).end();
        return;
      }
      const what = `${String(request.headers["webhook-id"])}${request.url}`;
      this.#arrivals.set(what, (this.#arrivals.get(what) ?? 0) + 1);
      request.resume();
      void pause(ms).then(() => {
        if (response.destroyed) return;
        response.writeHead(204).end();
        this.#taken.add(what);
        for (const watch of this.#watchers) watch();
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What came how often, as `event/path`. */
  get arrivals(): ReadonlyMap<string, number> {
    return this.#arrivals;
  }

  /** How many different ones it has answered, with yes. */
  get taken(): number {
    return this.#taken.size;
  }

  /** Resolves when it has answered so many different ones. */
  async untilTaken(count: number, giveUp: AbortSignal): Promise<void> {
    if (this.taken >= count) return;
    await new Promise<void>((resolve, reject) => {
      const watch = (): void => {
        if (this.taken < count) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      giveUp.addEventListener("abort", () =>
        reject(new Error(`${this.taken} of ${count} deliveries had arrived`)),
      );
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
