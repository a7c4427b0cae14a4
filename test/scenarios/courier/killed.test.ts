import { expect, onTestFinished, test } from "vitest";

import type { Delivery } from "../../../examples/courier/delivery.ts";
import { Receiver, type Mood } from "../../../examples/courier/receiver.ts";
import { makeSecret } from "../../../examples/courier/signature.ts";
import { findBinaries, PostgresServer } from "../../jobs/postgres/server.ts";
import { ownState } from "../process/child.ts";
import { run, type Running } from "./process.ts";

interface Post {
  readonly isNew: boolean;
  readonly deliveries: readonly string[];
}

/** A receiver, and couriers with the same data, one after the other. */
class Place {
  readonly receiver: Receiver = new Receiver();
  readonly #data: Readonly<Record<string, string>>;
  #url = "";

  /** Where the data is, as courier is told. */
  constructor(data: Readonly<Record<string, string>>) {
    this.#data = data;
  }

  async start(): Promise<Running> {
    const courier = run("main.ts", [], { PORT: "0", ...this.#data });
    [, this.#url = ""] = await courier.untilLine(/listens at (http\S+)/);
    return courier;
  }

  async subscribe(...moods: readonly Mood[]): Promise<void> {
    for (const mood of moods) {
      const secret = makeSecret();
      this.receiver.expect(mood, secret);
      await this.#call("POST", "/endpoints", { url: `${this.receiver.url}/${mood}`, secret });
    }
  }

  post(id: string): Promise<Post> {
    return this.#call("POST", "/events", { id, type: "t", data: {} });
  }

  async delivery(mood: Mood): Promise<Delivery | undefined> {
    const all = await this.#call<Delivery[]>("GET", "/deliveries");
    return all.find(({ url }) => url.endsWith(`/${mood}`));
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { "content-type": "application/json" };
    const more = body === undefined ? {} : { headers, body: JSON.stringify(body) };
    const response = await fetch(`${this.#url}${path}`, { method, ...more });
    return (await response.json()) as T;
  }
}

const hasPostgres = (await findBinaries()) !== undefined;

/** Where courier may have its data. */
const data: Record<string, () => Promise<Record<string, string>>> = {
  SQLite: async () => ({ COURIER_DATA: ownState() }),
  ...(hasPostgres && {
    async Postgres() {
      const server = new PostgresServer();
      await server.start();
      onTestFinished(() => server.remove());
      return { DATABASE_URL: server.url };
    },
  }),
};

async function openPlace(where: string): Promise<Place> {
  const place = new Place((await data[where]?.()) ?? {});
  await place.receiver.listen(0);
  onTestFinished(() => place.receiver.close());
  return place;
}

test.each(Object.keys(data))(
  "on %s: killed with a delivery in flight, and started again: it arrives; what had arrived does not again",
  async (where) => {
    const place = await openPlace(where);
    const killed = await place.start();
    await place.subscribe("ok", "slow");
    await place.post("evt_1");
    await killed.untilLine(/^evt_1 → \S+\/ok: delivered/);
    await place.receiver.until({ what: "arrived", mood: "slow" });
    killed.process.kill("SIGKILL");
    await killed.exit;

    const next = await place.start();
    await next.untilLine(/^evt_1 → \S+\/slow: delivered \(2 attempts\)/);
    expect(place.receiver.seen({ what: "arrived" }).map(({ mood, nth }) => `${mood} ${nth}`)).toEqual([
      "ok 1",
      "slow 1",
      "slow 2",
    ]);
    expect(await place.delivery("slow")).toMatchObject({
      state: "delivered",
      attempts: [
        { number: 1, end: "lapsed" },
        { number: 2, end: "succeeded", status: 204 },
      ],
    });
    // It knows the event still, though it is another process.
    expect((await place.post("evt_1")).isNew).toBe(false);
  },
);
