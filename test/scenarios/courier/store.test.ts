import { expect, test } from "vitest";

import { makeSecret } from "../../../examples/courier/signature.ts";
import { openStorage } from "../../../examples/courier/storage.ts";
import type { Endpoint } from "../../../examples/courier/store.ts";
import { places } from "./places.ts";

test.each(Object.entries(places))(
  "on %s: what the store has said yes to is there when it is opened again",
  async (_, open) => {
    const place = await open();
    const endpoint = (id: string, url: string): Endpoint => ({
      id,
      url,
      secret: makeSecret(),
      createdAt: "2026-01-01T00:00:00Z",
      health: { state: "unknown" },
    });
    const { store } = await openStorage(place);
    const [a, b] = [endpoint("a", "http://x/a"), endpoint("b", "http://x/b")];
    for (const one of [b, a, endpoint("b", "http://x/old"), b]) await store.saveEndpoint(one);
    await store.setHealth("a", { state: "down", note: "answers 500" });
    await store.setHealth("none", { state: "up" });
    await store.noteEvent("e1", new Date(1_000));
    await store.noteEvent("e1", new Date(9_000));
    await store.noteEvent("e2", new Date(3_000));
    await store.close();

    const { store: again } = await openStorage(place);
    expect(await again.endpoints()).toEqual([{ ...a, health: { state: "down", note: "answers 500" } }, b]);
    expect([await again.endpoint("b"), await again.endpoint("none")]).toEqual([b, undefined]);
    expect(await again.forgetEventsBefore(new Date(2_000))).toBe(1);
    expect([await again.knowsEvent("e1"), await again.knowsEvent("e2")]).toEqual([false, true]);
    await again.close();
  },
);
