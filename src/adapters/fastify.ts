import { Socket } from "node:net";
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
  RouteHandlerMethod,
} from "fastify";
import { badOption, toMs } from "../core/duration.ts";
import { ScopeClosedError, TaskCancelledError } from "../core/index.ts";
import type { Scope } from "../core/index.ts";
import { ScopeView } from "../core/scope-view.ts";
import type { Duration } from "../core/words.ts";
import { AppShutdown } from "./app-shutdown.ts";
import { rememberOrigins } from "./origin.ts";
import { type RequestRun, Requests } from "./request-scope.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Owns what is done for this request. Ends when the response was sent or the client has gone away. */
    readonly scope: Scope;
  }
  interface FastifyInstance {
    /** Owns what outlives its request, and remembers which one that was. Ends with the app. */
    readonly background: Scope;
  }
}

/** Options of the plugin. */
export interface HoldfastOptions {
  /** What the app belongs to: its requests and its background tasks are child scopes. The app ends when it ends. */
  readonly scope: Scope;
  /**
   * Where liveness and readiness are asked for; `false`: nowhere.
   * @default { live: "/healthz", ready: "/readyz" }
   */
  readonly health?: false | { readonly live?: string; readonly ready?: string };
  /**
   * How long requests and background tasks may still take after `app.close()`. Where the scope closes, its own drain
   * counts instead.
   * @default "20s"
   */
  readonly drain?: Duration;
}

/** The boot sequence below Fastify. What is added to its queue while it closes comes next. */
interface Avvio {
  onClose(hook: () => Promise<unknown>): unknown;
}

/** Where a request's run is kept. */
const RUN = Symbol("holdfast.request");
type WithRun = FastifyRequest & { [RUN]?: RequestRun | null };

/** Marks the routes that are not worth a request's scope. */
const OWN = Symbol("holdfast.own");
type OwnConfig = { readonly [OWN]?: true };

/**
 * The plugin: `await app.register(holdfast, { scope })`, before the routes. Each request becomes a scope,
 * `request.scope`, inside which its hooks and its handler run; `app.background` takes what outlives it.
 *
 * @example
 * import holdfast from "holdfast/fastify";
 *
 * await app.register(holdfast, { scope });
 * app.post("/orders", async (request) => {
 *   const price = await request.scope.spawn("price", ({ signal }) => ask(request.body, { signal }));
 *   app.background.spawn("mail", ({ signal }) => send(price, { signal }), { retry: { attempts: 3 } });
 *   return { price };
 * });
 */
// Async, for what a plugin throws at once would not be the app's failure but the process's.
export async function holdfast(instance: object, options: HoldfastOptions): Promise<void> {
  // Of any server, logger and type provider: nothing here depends on them.
  const app = instance as FastifyInstance;
  const { scope: owner } = options as { readonly scope?: Scope };
  if (owner === undefined)
    throw badOption("scope", owner, "the one that owns the app: app.register(holdfast, { scope })");
  ScopeView.nodeOf(owner);
  const drain = toMs(options.drain ?? "20s", "drain");
  const requests = new Requests(owner.scope("requests"));
  const background = owner.scope("background");
  rememberOrigins(background);
  const shutdown = new AppShutdown(app, { owner, requests, background, drain });

  app.decorate("background", background);
  app.decorateRequest(RUN as unknown as "id", null as never);
  app.decorateRequest("scope", { getter: scopeOf });
  app.addHook("onRoute", (route) => {
    route.handler = tracked(route.handler);
  });
  app.addHook("onRequest", (request, reply, next) => {
    // Those of a server that listens beside `app.server`, as Fastify has for "localhost"; `inject` has none.
    if (request.raw.socket instanceof Socket) shutdown.connections.add(request.raw.socket);
    const { url, config } = request.routeOptions;
    if ((config as OwnConfig | undefined)?.[OWN]) next();
    else begin(requests, request, reply, url ?? "(none)", next);
  });
  // Whatever reads the body calls back from elsewhere.
  app.addHook("preValidation", (request: WithRun, _reply, next) => {
    if (request[RUN] == null) next();
    else request[RUN].inside(next);
  });
  app.addHook("preClose", (next) => {
    shutdown.begin();
    // Right after the server, before the resources that the app's own hooks close: tasks may still use them.
    (app as unknown as Avvio).onClose(() => shutdown.ended);
    next();
  });
  addHealth(app, options.health, shutdown);
}
Object.assign(holdfast, {
  // What fastify-plugin does: the decorators are the parent's, not only this plugin's.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "holdfast",
  [Symbol.for("plugin-meta")]: { name: "holdfast", fastify: "5.x" },
});
/** The same, as plugins of Fastify are imported. */
// oxlint-disable-next-line import/no-default-export -- it is how plugins of Fastify are imported
export default holdfast satisfies FastifyPluginAsync<HoldfastOptions>;

function scopeOf(this: FastifyRequest): Scope {
  const run = (this as WithRun)[RUN];
  if (run == null) {
    throw new Error(
      "request.scope is there from holdfast's onRequest hook on: register holdfast before who asks for it",
    );
  }
  return run.scope;
}

function begin(
  requests: Requests,
  request: WithRun,
  reply: FastifyReply,
  route: string,
  next: HookHandlerDoneFunction,
): void {
  const incoming = {
    origin: { request: String(request.id) || "unnamed", method: request.method, route },
    response: reply.raw,
    isDetached: () => reply.sent && !reply.raw.writableEnded,
  };
  try {
    request[RUN] = requests.begin(incoming, next);
  } catch (error) {
    if (!(error instanceof ScopeClosedError)) throw error;
    reply.header("connection", "close");
    next(unavailable("the server is shutting down", error));
  }
}

/** The handler, its promise a part of the request. */
function tracked(handler: RouteHandlerMethod): RouteHandlerMethod {
  return function run(request: WithRun, reply) {
    const result: unknown = handler.call(this, request, reply);
    // `return reply` waits for the response, and so for us.
    if (request[RUN] == null || result === reply || !isThenable(result)) return result;
    return request[RUN].handling(result, (reason, isOver) => {
      if (!isOver) throw unavailable("the request was cancelled", reason);
      // Nobody is left to be answered, and nothing went wrong.
      reply.hijack();
      request.log.info(
        reason instanceof TaskCancelledError ? String(reason.reason) : "the request was cancelled",
      );
      return undefined;
    });
  };
}

function unavailable(message: string, cause: unknown): Error {
  return Object.assign(new Error(message, { cause }), { statusCode: 503 });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Two routes, which are asked often and do nothing: no request to be listed. */
function addHealth(app: FastifyInstance, health: HoldfastOptions["health"], shutdown: AppShutdown): void {
  if (health === false) return;
  const options = { logLevel: "silent", config: { [OWN]: true } } as const;
  // A process that answers lives, also while it shuts down: a kill would lose what it is about to finish.
  app.get(health?.live ?? "/healthz", options, (_request, reply) => {
    reply.header("cache-control", "no-store").send({ status: "ok" });
  });
  app.get(health?.ready ?? "/readyz", options, (_request, reply) => {
    reply.header("cache-control", "no-store");
    if (shutdown.isReady()) reply.send({ status: "ok" });
    else reply.code(503).send({ status: "not ready" });
  });
}
