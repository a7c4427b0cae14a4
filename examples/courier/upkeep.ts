import type { TaskContext } from "holdfast";
import { request } from "undici";

import type { Tools } from "./settings.ts";
import type { Endpoint } from "./store.ts";
import { at, messageOf } from "./words.ts";

/** What courier does by itself: a service that asks the endpoints how they are, and a clean-up each night. */
export function keepUp(tools: Tools): void {
  const { scope, store, settings, log } = tools;

  scope.service("health", async (task) => {
    task.ready();
    // Ends by itself when courier drains.
    for await (const _round of task.every(settings.health)) {
      await task.map("probe", await store.endpoints(), (endpoint, probe) => examine(tools, probe, endpoint));
    }
  });

  scope.cron("clean-up", "0 3 * * *", async () => {
    // Its deliveries are forgotten by the queue, as its retention says.
    const forgotten = await store.forgetEventsBefore(new Date(Date.now() - settings.days * 86_400_000));
    log(`clean-up: forgot ${forgotten} events older than ${settings.days} days`);
  });
}

/** An endpoint is well if it answers anything but a failure of its own within two seconds. */
async function examine({ http, store, log }: Tools, probe: TaskContext, endpoint: Endpoint): Promise<void> {
  const { id, url, health } = endpoint;
  const note = await probe
    .timeout("2s", async (signal) => {
      const { statusCode, body } = await request(url, { dispatcher: http, method: "HEAD", signal });
      await body.dump({ limit: 65_536, signal });
      return statusCode < 500 ? undefined : `answers ${statusCode}`;
    })
    .catch(messageOf);
  // It may have been cut short by courier's own end, of which the endpoint is not guilty.
  probe.throwIfCancelled();
  const state = note === undefined ? "up" : "down";
  if (state !== health.state) log(`${at(url)} is ${state}${note === undefined ? "" : `: ${note}`}`);
  await store.setHealth(id, {
    state,
    checkedAt: new Date().toISOString(),
    ...(note !== undefined && { note }),
  });
}
