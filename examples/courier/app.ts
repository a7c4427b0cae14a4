import { randomBytes } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import type { Scope } from "holdfast";
import holdfast from "holdfast/fastify";
import { Agent } from "undici";

import { Courier } from "./deliver.ts";
import { Deliveries, countAtTheEnd } from "./deliveries.ts";
import type { Delivery, DeliveryState } from "./delivery.ts";
import { addMistake } from "./mistake.ts";
import { post } from "./post.ts";
import { deliveryQuery, endpointInput, eventInput } from "./schemas.ts";
import type { DeliveryQuery, EndpointInput, EventInput } from "./schemas.ts";
import { defaults, type Log, type Settings } from "./settings.ts";
import { makeSecret } from "./signature.ts";
import type { Storage } from "./storage.ts";
import type { Endpoint } from "./store.ts";
import { draw } from "./tree.ts";
import { keepUp } from "./upkeep.ts";
import { at, whyNot } from "./words.ts";

export interface Options {
  /** It is closed with the scope. */
  readonly storage: Storage;
  readonly settings?: Partial<Settings>;
  readonly log?: Log;
}

class NotFoundError extends Error {
  override readonly name = "NotFoundError";
  readonly statusCode = 404;
  readonly code = "COURIER_NOT_FOUND";
}

class FullError extends Error {
  override readonly name = "FullError";
  readonly statusCode = 503;
  readonly code = "COURIER_FULL";
}

/** Each event goes to all of them. */
const mostEndpoints = 1_000;

/** The service on one scope: what it starts and opens ends with that. */
export async function buildApp(scope: Scope, options: Options): Promise<FastifyInstance> {
  const { storage, log = console.log } = options;
  const { store } = storage;
  const settings = { ...defaults, ...options.settings };

  const app = Fastify({
    // What is not known is an error, rather than silently taken away.
    ajv: { customOptions: { removeAdditional: false } },
    bodyLimit: 256 * 1_024,
  });
  // Who looks is mostly a person with curl.
  app.setReplySerializer((payload) => `${JSON.stringify(payload, undefined, 2)}\n`);
  // Before the routes: it has to see each of them.
  await app.register(holdfast, { scope });

  // What is opened first is closed last: after the last delivery that uses it.
  let last: Record<DeliveryState, number> | undefined;
  scope.defer(() => log(`courier has ended${last === undefined ? "" : `: ${farewell(last)}`}`));
  scope.defer(() => store.close());
  const http = new Agent({ connections: 64, pipelining: 1 });
  scope.defer(() => http.close());

  const tools = { scope: app.background, store, http, settings, log };
  const courier = await Courier.open(scope, tools, storage);
  const deliveries = new Deliveries(courier.queue, store);
  keepUp(tools);
  app.background.service("tally", async (task) => {
    last = await countAtTheEnd(task, courier.queue, deliveries);
  });
  if (settings.mistake !== undefined) addMistake(app, { ...tools, counts: () => deliveries.counts() });

  app.post<{ Body: EndpointInput }>(
    "/endpoints",
    { schema: { body: endpointInput } },
    async (request, reply) => {
      const { url, secret = makeSecret() } = request.body;
      const known = await store.endpoints();
      // Who registers at each of its starts is one endpoint still.
      const before = known.find((one) =>
        request.body.id === undefined ? one.url === url : one.id === request.body.id,
      );
      const { id = before?.id ?? `ep_${randomBytes(6).toString("hex")}` } = request.body;
      if (before === undefined && known.length >= mostEndpoints)
        throw new FullError(`courier keeps at most ${mostEndpoints} endpoints`);
      const createdAt = before?.createdAt ?? new Date().toISOString();
      await store.saveEndpoint({ id, url, secret, createdAt, health: { state: "unknown" } });
      log(`${at(url)} is to hear of everything, as ${id}`);
      reply.code(before === undefined ? 201 : 200).header("location", `/endpoints/${id}`);
      // The only time that the secret is told.
      return { id, url, secret, createdAt };
    },
  );

  app.get("/endpoints", async () => (await store.endpoints()).map(withoutSecret));

  app.get<{ Params: { id: string } }>("/endpoints/:id", async ({ params }) =>
    withoutSecret(await endpointOf(params.id)),
  );

  /** Tries an endpoint while its owner waits. Whoever hangs up is not waiting any more: then the call ends too. */
  app.post<{ Params: { id: string } }>("/endpoints/:id/test", async (request) => {
    const endpoint = await endpointOf(request.params.id);
    const event = { id: newEventId(), type: "courier.test", data: {}, createdAt: new Date().toISOString() };
    const task = request.scope.spawn("test", ({ signal }) => post(http, endpoint, event, signal), {
      timeout: "30s",
      attributes: { url: endpoint.url },
    });
    const outcome = await task.outcome();
    if (outcome.state === "succeeded") return { id: event.id, answered: outcome.value };
    const error = whyNot(outcome);
    // Then nobody reads the answer any more.
    if (outcome.state === "cancelled") log(`the test of ${at(endpoint.url)} was cancelled: ${error}`);
    return { id: event.id, error };
  });

  app.post<{ Body: EventInput }>("/events", { schema: { body: eventInput } }, async (request, reply) => {
    const { id = newEventId(), type, data } = request.body;
    const sent = await courier.send({ id, type, data, createdAt: new Date().toISOString() });
    if (!sent.isNew) return { id, isNew: false };
    reply.code(202).header("location", `/deliveries?event=${id}`);
    return { id, ...sent };
  });

  app.get<{ Querystring: DeliveryQuery }>(
    "/deliveries",
    { schema: { querystring: deliveryQuery } },
    ({ query }) => deliveries.list(query),
  );

  app.get<{ Params: { id: string } }>("/deliveries/:id", async ({ params }) => {
    return deliveryOf(params.id);
  });

  /** Answers when it has stopped, with how it ended. */
  app.delete<{ Params: { id: string } }>("/deliveries/:id", async ({ params }) => {
    if (!(await courier.cancel(params.id)))
      throw new NotFoundError(`no delivery ${JSON.stringify(params.id)} is pending`);
    return deliveryOf(params.id);
  });

  /** Everything that runs in this process, by owner: for people, and for machines. */
  app.get("/", async (_request, reply) => {
    reply.type("text/plain; charset=utf-8");
    return `${inWords(await deliveries.counts())}\n\n${draw(scope.tree())}`;
  });
  app.get("/tasks", async () => ({ deliveries: await deliveries.counts(), scope: scope.tree() }));

  return app;

  async function endpointOf(id: string): Promise<Endpoint> {
    const endpoint = await store.endpoint(id);
    if (endpoint === undefined) throw new NotFoundError(`there is no endpoint ${JSON.stringify(id)}`);
    return endpoint;
  }

  async function deliveryOf(id: string): Promise<Delivery> {
    const delivery = await deliveries.get(id);
    if (delivery === undefined) throw new NotFoundError(`there is no delivery ${JSON.stringify(id)}`);
    return delivery;
  }
}

function farewell(counts: Record<DeliveryState, number>): string {
  const rest = counts.pending === 0 ? "" : "; what is pending goes on at the next start";
  return `${inWords(counts)}${rest}`;
}

function inWords(counts: Record<DeliveryState, number>): string {
  return Object.entries(counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(", ");
}

/** Listens at the wished port; where that is taken and nobody insisted on it, at any. */
export async function listen(
  app: FastifyInstance,
  port: number | undefined,
  wished: number,
): Promise<string> {
  try {
    return await app.listen({ host: "127.0.0.1", port: port ?? wished });
  } catch (error) {
    if (port !== undefined || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return app.listen({ host: "127.0.0.1", port: 0 });
  }
}

function withoutSecret({ id, url, createdAt, health }: Endpoint): Omit<Endpoint, "secret"> {
  return { id, url, createdAt, health };
}

function newEventId(): string {
  return `evt_${randomBytes(6).toString("hex")}`;
}
