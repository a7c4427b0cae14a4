import { now } from "../core/clock.ts";
import { storage, type Store } from "../core/context.ts";
import type { Scope, TaskContext } from "../core/index.ts";
import type { UnsentResponse } from "./connections.ts";
import { withRequest } from "./origin.ts";
import type { Origin, Request } from "./origin.ts";

/** The response, as far as it matters here: that of node:http, and whatever behaves like it. */
export interface ResponseLike extends UnsentResponse {
  /** Of HTTP/2, whose response says "finish" when it was cut off too. */
  readonly stream?: { readonly aborted?: boolean };
  /** "finish": all of it was handed to the operating system. "close": that, or the client has gone away. */
  once(event: "finish" | "close", listener: () => void): unknown;
  destroy(): unknown;
}

/** What a framework says of one request. */
export interface Incoming {
  readonly origin: Origin;
  readonly response: ResponseLike;
  /** Whether the handler has taken the response into its own hands, as for a websocket. */
  isDetached(): boolean;
}

/** The requests of one server. */
export class Requests {
  readonly scope: Scope;
  readonly #live = new Set<RequestRun>();
  #isStopping = false;

  constructor(scope: Scope) {
    this.scope = scope;
  }

  /** Calls `next` inside a new request. Throws `ScopeClosedError` where no more are taken. */
  begin(incoming: Incoming, next: () => void): RequestRun {
    const scope = this.scope.scope(incoming.origin.request, { attributes: incoming.origin });
    const run = new RequestRun(scope, this, incoming);
    run.begin(next);
    this.#live.add(run);
    return run;
  }

  /** Nothing new comes in: from here on, a connection that a handler keeps does not count as a request. */
  stop(): void {
    this.#isStopping = true;
    for (const run of this.#live) run.check();
  }

  /** The responses that have not been sent, or not to the end. */
  *unsent(): Generator<ResponseLike> {
    for (const run of this.#live) if (!run.isClosed) yield run.response;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** @internal */
  ended(run: RequestRun): void {
    this.#live.delete(run);
  }
}

/**
 * One request: a scope, and in it a task that lives for as long as the request does. The task is what a drain waits
 * for, what the ambient functions act on, and what an operator sees. It ends when the response was sent and the
 * handler has returned; or, cancelled, when the client has gone away and the handler has returned.
 */
export class RequestRun {
  readonly scope: Scope;
  readonly #incoming: Incoming;
  readonly #requests: Requests;
  readonly #request: Request;
  #task: TaskContext | undefined;
  readonly #over: Promise<void>;
  /** Settles `#over`. */
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  /** The async context of the request. */
  #context: Store;
  /** Handlers that have not returned. */
  #handlers = 0;
  #isSent = false;
  #isClosed = false;

  constructor(scope: Scope, requests: Requests, incoming: Incoming) {
    this.scope = scope;
    this.#incoming = incoming;
    this.#requests = requests;
    this.#request = { origin: incoming.origin, end: { endedAt: undefined } };
    this.#over = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get response(): ResponseLike {
    return this.#incoming.response;
  }

  /** Whether the response was sent, or the client has gone away. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  begin(next: () => void): void {
    const { origin, response } = this.#incoming;
    withRequest(this.#request, () =>
      this.scope.spawn(`${origin.method} ${origin.route}`, (task) => this.#run(task, next), {
        attributes: origin,
      }),
    );
    response.once("finish", () => (this.#isSent = response.stream?.aborted !== true));
    response.once("close", () => this.#closed());
  }

  /** Calls `fn` as part of the request, wherever it is called from. */
  inside<R>(fn: () => R): R {
    const context = this.#context;
    if (context === undefined || context === storage.getStore()) return fn();
    return storage.run(context, () => withRequest(this.#request, fn));
  }

  /**
   * The handler's promise is part of the request: returns one to be awaited in its place. Where it rejects because the
   * request was cancelled, `onCancelled` decides what comes of it; `isOver`: nobody is left to be answered.
   */
  handling<R>(promise: PromiseLike<R>, onCancelled: (reason: unknown, isOver: boolean) => R): Promise<R> {
    this.#handlers++;
    // Made native once: a lazy thenable, as of a query builder, would do its work for each who calls `then`.
    return Promise.resolve(promise).then(
      (value) => {
        this.#returned();
        return value;
      },
      (error: unknown) => {
        const reason = this.#returned();
        if (reason === undefined || !isBecauseOf(error, reason)) throw error;
        return onCancelled(reason, this.#isClosed);
      },
    );
  }

  /** Ends the task if nothing is left to wait for. */
  check(): void {
    if (this.#task === undefined || this.#handlers > 0) return;
    if (this.#isClosed) this.#end(this.#isSent ? undefined : this.#task.signal.reason);
    // Whoever took the response over has it; what runs for it are tasks of the scope, and a drain waits for those.
    else if (this.#requests.isStopping && this.#incoming.isDetached()) this.#end(undefined);
  }

  /** Returns why the request was cancelled; undefined where it was not. */
  #returned(): unknown {
    this.#handlers--;
    this.check();
    const signal = this.#task?.signal;
    return signal?.aborted === true ? signal.reason : undefined;
  }

  #run(task: TaskContext, next: () => void): Promise<void> {
    this.#task = task;
    task.signal.addEventListener("abort", () => this.#cancelled(), { once: true });
    this.scope.run(() => {
      this.#context = storage.getStore();
      next();
    });
    return this.#over;
  }

  /** The response was sent, or the client has gone away. */
  #closed(): void {
    this.#isClosed = true;
    this.#request.end.endedAt = now();
    if (!this.#isSent) {
      this.scope.requestClose("the client went away");
      this.check();
    } else if (this.#handlers > 0) this.scope.requestClose("the response was sent");
    else {
      this.check();
      // After the request's own task, which then ends by itself; what else is left in the scope is cancelled.
      void this.#over.then(() => this.scope.requestClose("the response was sent"));
    }
    if (this.#task === undefined) this.#requests.ended(this);
  }

  /** A handler that runs hears of it and answers; where none does, nobody would. */
  #cancelled(): void {
    if (this.#isClosed || this.#handlers > 0) return;
    if (this.#incoming.isDetached()) this.#end(this.#task?.signal.reason);
    else this.#incoming.response.destroy();
  }

  #end(reason: unknown): void {
    this.#requests.ended(this);
    if (reason === undefined) this.#resolve();
    else this.#reject(reason);
  }
}

/** Whether an error is a cancellation, was caused by it, or is what an aborted call of Node's throws. */
function isBecauseOf(error: unknown, reason: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause === reason || cause.name === "AbortError") return true;
  }
  return false;
}
