import { expect, onTestFinished, test } from "vitest";

import type { Delivery } from "../../../examples/courier/delivery.ts";
import { Receiver, type Mood } from "../../../examples/courier/receiver.ts";
import { makeSecret } from "../../../examples/courier/signature.ts";
import type { Place } from "../../../examples/courier/storage.ts";
import { places } from "./places.ts";
import { run, type Running } from "./process.ts";

interface Post {
  readonly isNew: boolean;
  readonly deliveries: readonly string[];
}

/** A receiver, and couriers with the same data, one after the other. */
class Stage {
  readonly receiver: Receiver = new Receiver();
  /** Where the data is, as courier is told. */
  readonly #data: Readonly<Record<string, string>>;
  #url = "";

  constructor(place: Place) {
    this.#data = "data" in place ? { COURIER_DATA: place.data } : { DATABASE_URL: place.database };
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

async function openStage(open: () => Promise<Place>): Promise<Stage> {
  const stage = new Stage(await open());
  await stage.receiver.listen(0);
  onTestFinished(() => stage.receiver.close());
  return stage;
}

test.each(Object.entries(places))(
  "on %s: killed with a delivery in flight, and started again: it arrives; what had arrived does not again",
  async (_, open) => {
    const stage = await openStage(open);
    const killed = await stage.start();
    await stage.subscribe("ok", "slow");
    await stage.post("evt_1");
    await killed.untilLine(/^evt_1 → \S+\/ok: delivered/);
    await stage.receiver.until({ what: "arrived", mood: "slow" });
    killed.process.kill("SIGKILL");
    await killed.exit;

    const next = await stage.start();
    await next.untilLine(/^evt_1 → \S+\/slow: delivered \(2 attempts\)/);
    expect(stage.receiver.seen({ what: "arrived" }).map(({ mood, nth }) => `${mood} ${nth}`)).toEqual([
      "ok 1",
      "slow 1",
      "slow 2",
    ]);
    expect(await stage.delivery("slow")).toMatchObject({
      state: "delivered",
      attempts: [
        { number: 1, end: "lapsed" },
        { number: 2, end: "succeeded", status: 204 },
      ],
    });
    // It knows the event still, though it is another process.
    expect((await stage.post("evt_1")).isNew).toBe(false);
  },
);
