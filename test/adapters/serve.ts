import Fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { holdfast, type HoldfastOptions } from "../../src/adapters/fastify.ts";
import { openScope } from "../../src/index.ts";
import type { RootOptions, Scope } from "../../src/index.ts";

export interface Served {
  readonly scope: Scope;
  readonly app: FastifyInstance;
  readonly port: number;
}

export interface ServeOptions {
  readonly root?: RootOptions;
  readonly server?: FastifyServerOptions;
  readonly plugin?: Partial<HoldfastOptions>;
}

const served: Scope[] = [];

/** For `afterEach`. */
export async function closeServed(): Promise<void> {
  await Promise.all(served.splice(0).map((scope) => scope.close()));
}

/** An app with real sockets, on a root scope of its own. */
export async function serve(
  routes: (app: FastifyInstance) => unknown,
  options: ServeOptions = {},
): Promise<Served> {
  const scope = openScope("app", options.root);
  served.push(scope);
  const app = Fastify(options.server);
  await app.register(holdfast, { scope, ...options.plugin });
  await routes(app);
  await app.listen({ port: 0, host: "127.0.0.1" });
  return { scope, app, port: (app.server.address() as AddressInfo).port };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** One call, on a connection of its own unless an agent is given. */
export function call(
  port: number,
  path: string,
  options: Parameters<typeof request>[1] & { body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const client = request({ port, host: "127.0.0.1", path, agent: false, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    client.on("error", reject);
    client.end(options.body);
  });
}

/** A call that the test will hang up. */
export function callAndHold(port: number, path: string, method = "GET"): ClientRequest {
  const client = request({ port, host: "127.0.0.1", path, method, agent: false });
  // Hanging up is an error for the client; here it is what is meant.
  client.on("error", () => undefined);
  client.end();
  return client;
}

/** A promise, and what settles it. */
export interface Gate<T = void> {
  readonly promise: Promise<T>;
  readonly open: (value: T) => void;
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void;
  const promise = new Promise<T>((resolve) => (open = resolve));
  return { promise, open };
}
