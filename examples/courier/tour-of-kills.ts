import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { JobStats } from "holdfast/jobs";

import { Census } from "./census.ts";
import type { Delivery, DeliveryState } from "./delivery.ts";
import type { Receiver } from "./receiver.ts";
import { makeSecret } from "./signature.ts";
import { call, holdfast, see, type Service, type Story } from "./tour-tools.ts";

/* The last chapters of the tour: courier is killed, and no handler of it runs. */

interface Stage {
  /** Below it is the data of each. */
  readonly folder: string;
  /** Starts a courier with this data. */
  start(data: string, env?: Readonly<Record<string, string>>): Service;
  readonly story: Story;
  readonly giveUp: AbortSignal;
}

export async function tellOfDeath({
  start,
  receiver,
  story,
  giveUp,
}: Stage & { readonly receiver: Receiver }): Promise<void> {
  story.chapter("8. kill -9, with a delivery in flight");
  const killed = start("killed", { COURIER_TIMEOUT: "30s", COURIER_HEALTH: "1s" });
  const { pid } = killed.process;
  const [, url] = await killed.untilLine(/listens at (http\S+)/);
  const secret = makeSecret();
  receiver.expect("hang", secret);
  await call("POST", `${url}/endpoints`, { url: `${receiver.url}/hang`, secret });
  await call("POST", `${url}/events`, { id: "evt_last", type: "order.paid", data: {} });
  await receiver.until({ what: "arrived", mood: "hang", id: "evt_last" }, giveUp);
  // That takes two seconds: by then the call is older than two sweeps of the watch.
  await killed.untilLine(/hang is down/);
  killed.process.kill("SIGKILL");
  await story.claim("nobody asks, and no handler runs", async () => {
    const { code, signal } = await killed.exit;
    see([code, signal], [null, "SIGKILL"], "exit code and signal");
    see(
      killed.lines.some((line) => line.includes('"holdfast":"report"')),
      false,
      "whether there are last words",
    );
    return "no report, no exit code";
  });
  await story.claim("but what ran is known: since when, and which delivery it was", async () => {
    const { stdout } = await holdfast(["last", String(pid)]);
    see(/^courier \(pid \d+, .*\) died without a word$/m.test(stdout), true, "whether its death is told");
    see(
      /outbox\/jobs\/deliver \(#\d+\)\n +for \d.* evt_last → \S+\/hang$/m.test(stdout),
      true,
      "whether the delivery is told",
    );
    return `$ npx holdfast last ${pid}\n${stdout.trim()}`.replaceAll("\n", "\n      ");
  });
  await story.claim("the next start tells it by itself, once", async () => {
    const next = start("killed");
    const [words] = await next.untilLine(new RegExp(`^\\{"holdfast":"died".*"pid":${pid},.*`));
    const {
      name,
      pid: dead,
      running,
    } = JSON.parse(words) as { name: string; pid: number; running: object[] };
    see([name, dead], ["courier", pid], "who died");
    next.process.kill("SIGKILL");
    return `{"holdfast":"died","name":"courier","pid":${dead},…} on stderr, with ${running.length} tasks`;
  });
}

const events = 40;
const endpoints = 5;
const all = events * endpoints;

export async function tellOfReturn({ folder, start, story, giveUp }: Stage): Promise<void> {
  story.chapter(`9. kill -9, in the middle of ${all} deliveries`);
  const census = new Census(150);
  await census.listen();
  try {
    const killed = start("returns");
    const [, url] = await killed.untilLine(/listens at (http\S+)/);
    for (let n = 1; n <= endpoints; n++)
      await call("POST", `${url}/endpoints`, { url: `${census.url}/${n}` });
    await story.claim(`${events} events are taken: what is acknowledged is stored`, async () => {
      const answers = await Promise.all(
        Array.from({ length: events }, (_, n) =>
          call<{ deliveries: string[] }>("POST", `${url}/events`, {
            id: `evt_${n}`,
            type: "stock.changed",
            data: { n },
          }),
        ),
      );
      const statuses = new Set(answers.map(({ status }) => status));
      see([...statuses], [202], "the answers to POST /events");
      const stored = new Set(answers.flatMap(({ body }) => body.deliveries)).size;
      see(stored, all, "how many deliveries were stored");
      return `202 each, the last one after ${Math.max(...answers.map(({ ms }) => ms))} ms; ${stored} deliveries`;
    });
    await census.untilTaken(all / 2, giveUp);
    killed.process.kill("SIGKILL");
    await killed.exit;
    const taken = census.taken;
    story.note(`killed when ${taken} of ${all} had arrived`);
    see(taken < all, true, "whether there was something left to do");

    let inFlight = 0;
    await story.claim("what is left can be seen from a terminal, though nobody runs", async () => {
      const { stdout } = await holdfast(["jobs", "stats", join(folder, "returns", "jobs.db"), "--json"]);
      const { queued, running, succeeded } = JSON.parse(stdout) as JobStats;
      see(queued + running + succeeded, all, "how many deliveries are known");
      inFlight = running;
      return `$ npx holdfast jobs stats …/jobs.db: ${queued} queued, ${running} running, ${succeeded} succeeded`;
    });
    const began = performance.now();
    const next = start("returns");
    const [, address] = await next.untilLine(/listens at (http\S+)/);
    await story.claim("started again on the same folder, every delivery arrives", async () => {
      await census.untilTaken(all, giveUp);
      const seconds = ((performance.now() - began) / 1_000).toFixed(1);
      await untilNonePending(address ?? "", giveUp);
      return `${census.taken} of ${all}, ${seconds} s after the start; those in flight waited until their lease was over`;
    });
    await story.claim(
      "nobody got twice what was not in flight, and nobody got anything three times",
      async () => {
        const { body } = await call<Delivery[]>("GET", `${address}/deliveries?limit=500`);
        see([body.length, ...new Set(body.map(({ state }) => state))], [all, "delivered"], "the deliveries");
        // Whose courier died over it is written down with the attempt.
        const lapsed = new Set(
          body
            .filter(({ attempts }) => attempts.some(({ end }) => end === "lapsed"))
            .map(({ event, url: at }) => `${event}${new URL(at).pathname}`),
        );
        see(lapsed.size, inFlight, "over how many courier died");
        const twice = [...census.arrivals].filter(([, count]) => count > 1);
        see(
          twice.filter(([what, count]) => count > 2 || !lapsed.has(what)),
          [],
          "what came too often",
        );
        return `${inFlight} were in flight when it was killed; ${twice.length} of these came twice, ${all - twice.length} once`;
      },
    );
  } finally {
    await census.close();
  }
}

async function untilNonePending(url: string, giveUp: AbortSignal): Promise<void> {
  for (;;) {
    const { body } = await call<{ deliveries: Record<DeliveryState, number> }>(
      "GET",
      `${url}/tasks`,
      undefined,
      giveUp,
    );
    if (body.deliveries.pending === 0) return;
    await pause(10);
  }
}
