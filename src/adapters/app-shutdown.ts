import { now } from "../core/clock.ts";
import { outside } from "../core/context.ts";
import { intakeOf } from "../core/intake.ts";
import type { Scope } from "../core/index.ts";
import { Connections, type ServerLike, spareUnsent } from "./connections.ts";
import type { Requests } from "./request-scope.ts";

/** An app, as far as its end is concerned: Fastify's, and avvio's below it. */
export interface AppLike {
  readonly server: ServerLike;
  close(): PromiseLike<unknown>;
}

/** What ends with the app. */
export interface AppParts {
  readonly owner: Scope;
  readonly requests: Requests;
  readonly background: Scope;
  /** In ms. */
  readonly drain: number;
}

/**
 * The end of an app, whoever asks for it. Either `app.close()` is called, and what the app owns is closed here; or the
 * scope that owns the app closes, that is what closes it all, and here the app is told. Both ways: nothing new comes
 * in, requests and background tasks end, connections are cut, resources are closed; none waits for a client.
 */
export class AppShutdown {
  readonly connections: Connections;
  /** Resolves when no request and no background task is left. */
  readonly ended: Promise<unknown>;
  readonly #app: AppLike;
  readonly #parts: AppParts;
  readonly #begun: Promise<void>;
  #sayBegun!: () => void;
  #closed: PromiseLike<unknown> | undefined;
  #isStopping = false;
  #isOwnersDoing = false;

  constructor(app: AppLike, parts: AppParts) {
    this.#app = app;
    this.#parts = parts;
    this.connections = new Connections(app.server);
    spareUnsent(app.server, () => parts.requests.unsent());
    this.#begun = new Promise((resolve) => (this.#sayBegun = resolve));
    const { owner, requests, background } = parts;
    this.ended = Promise.all([untilClosed(requests.scope), untilClosed(background)]);
    // Its drain begins when nothing new comes in; it does not wait for the rest.
    intakeOf(owner).onStop(() => {
      this.#isOwnersDoing = true;
      void this.#close();
      return this.#begun;
    });
    // After the last task, and after what was opened later than the app.
    owner.defer(() => this.#close());
  }

  /** Whether somebody who balances load may send requests here. */
  isReady(): boolean {
    return !this.#isStopping && intakeOf(this.#parts.owner).isReady;
  }

  /** The app begins to close: it answers no new requests, and is about to close its server. */
  begin(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#sayBegun();
    this.#parts.requests.stop();
    void this.ended.then(() => this.connections.end());
    // Outside of any task: whoever closes the app may well be one of those that this waits for.
    if (!this.#isOwnersDoing) void outside(() => this.#closeOwn());
  }

  /** Outside of any task: what the app does when it closes is its own business. */
  #close(): PromiseLike<unknown> {
    if (this.#closed === undefined) {
      this.#closed = outside(() => this.#app.close());
      // Whether it fails is for the owner's clean-up to tell, which waits for it later.
      void this.#closed.then(undefined, () => undefined);
    }
    return this.#closed;
  }

  /** Requests first: for as long as one runs, it may hand work to the background. */
  async #closeOwn(): Promise<void> {
    const { requests, background, drain } = this.#parts;
    const reason = "the app was closed";
    const until = now() + drain;
    await requests.scope.close({ drain, reason });
    await background.close({ drain: Math.max(0, until - now()), reason });
  }
}

function untilClosed(scope: Scope): Promise<void> {
  return new Promise((resolve) => scope.defer(resolve));
}
