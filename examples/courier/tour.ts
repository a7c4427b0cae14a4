import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { CloseReport, ScopeTree, TaskTree } from "holdfast";

import type { Delivery, DeliveryState } from "./delivery.ts";
import { moods, Receiver, type Mood } from "./receiver.ts";
import { makeSecret } from "./signature.ts";
import { tellOfDeath, tellOfReturn } from "./tour-of-kills.ts";
import { awaitIn, call, dumpOf, see, Service, Story } from "./tour-tools.ts";

/*
 * `npm run tour`: courier's story, told by somebody who watches it from outside. The service is a process of its own;
 * the receiver is here, so that what courier says can be held against what the other side saw. It ends with 0 only if
 * everything that it claims was seen.
 */

const giveUp = AbortSignal.timeout(55_000);
const story = new Story();
const began = performance.now();
const receiver = new Receiver();
await receiver.listen(0);
const { COURIER_MISTAKE = "made" } = process.env;
const patience = { COURIER_TIMEOUT: "1s", COURIER_BACKOFF: "200ms", COURIER_HEALTH: "3s" };
const env = { PORT: "0", COURIER_MISTAKE, ...patience };
/** Below it each courier has a folder, that nobody else has; a database would be everybody's. */
const folder = mkdtempSync(join(tmpdir(), "courier-tour-"));
delete process.env["DATABASE_URL"];
const services: Service[] = [];
const service = start("first");

try {
  await tell();
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(`\nAll ${story.claims} claims were seen to be true, in ${seconds} s.`);
} catch (error) {
  console.log(`\nThe tour ends here: ${error instanceof Error ? error.message : String(error)}`);
  console.log(`\nWhat courier wrote:\n${service.lines.map((line) => `  | ${line}`).join("\n")}`);
  process.exitCode = 1;
} finally {
  for (const one of services) one.process.kill("SIGKILL");
  await Promise.all(services.map(({ exit }) => exit));
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
}

/** A courier with this data, and what it finds there. */
function start(data: string, more: Readonly<Record<string, string>> = {}): Service {
  const own = { ...env, COURIER_DATA: join(folder, data), ...more };
  const started = new Service(new URL("./main.ts", import.meta.url), own, giveUp);
  services.push(started);
  return started;
}

async function tell(): Promise<void> {
  story.chapter("1. A service starts");
  const url = (await service.untilLine(/listens at (http\S+)/))[1] ?? "";
  await story.claim("it is up, and says so to whoever balances the load", async () => {
    const { status, body } = await call<object>("GET", `${url}/readyz`);
    see(status, 200, "/readyz");
    return `GET ${url}/readyz: ${status} ${JSON.stringify(body)}`;
  });

  story.chapter("2. Six endpoints want to hear of everything, each in its own mood");
  const endpoints = new Map<Mood, string>();
  for (const [mood, words] of Object.entries(moods) as [Mood, string][]) {
    const secret = makeSecret();
    receiver.expect(mood, secret);
    const { status, body } = await call<{ id: string }>("POST", `${url}/endpoints`, {
      url: `${receiver.url}/${mood}`,
      secret,
    });
    see(status, 201, `POST /endpoints for ${mood}`);
    endpoints.set(mood, body.id);
    console.log(`      ${`/${mood}`.padEnd(8)} ${words}`);
  }
  await story.claim("what makes no sense is refused, with a reason", async () => {
    const bad = [
      await call<{ message: string }>("POST", `${url}/endpoints`, { url: "ftp://example.com" }),
      await call<{ message: string }>("POST", `${url}/events`, {
        type: "order.paid",
        data: {},
        colour: "red",
      }),
      await call<{ message: string }>("GET", `${url}/deliveries?state=maybe`),
    ];
    see(
      bad.map(({ status }) => status),
      [400, 400, 400],
      "the answers to bad input",
    );
    return bad.map(({ body }) => body.message).join("\n      ");
  });

  story.chapter("3. One event, six deliveries");
  const event = { id: "evt_first", type: "order.paid", data: { order: 1_001 } };
  const posted = await call<{ deliveries: string[] }>("POST", `${url}/events`, event);
  await story.claim("POST /events answers at once: the deliveries are jobs, and stored", () => {
    see(posted.status, 202, "POST /events");
    see(posted.body.deliveries.length, 6, "the deliveries");
    see(receiver.seen({ what: "took", mood: "slow" }).length, 0, "what the slow endpoint took by then");
    return `202 after ${posted.ms} ms; the slow endpoint had not answered by then`;
  });
  await story.claim("ok took it, and could check who had sent it", async () => {
    const { id, isSigned, nth } = await receiver.until({ what: "took", mood: "ok" }, giveUp);
    see([id, isSigned, nth], [event.id, true, 1], "what arrived");
    return `${id}, with a valid HMAC signature`;
  });
  await story.claim("slow took it, in its own time", async () => {
    const ended = await ends(url, event.id, "slow");
    see(ended.state, "delivered", "the delivery");
    return `delivered in ${ended.attempts[0]?.ms} ms`;
  });
  await story.claim("flaky refused it twice, and was asked again", async () => {
    const ended = await ends(url, event.id, "flaky");
    see(
      [ended.state, ...ended.attempts.map(({ status }) => status)],
      ["delivered", 503, 503, 204],
      "the delivery",
    );
    return attempts(ended);
  });
  await story.claim("the same event, sent again meanwhile, is known: nobody gets it twice", async () => {
    const again = await call<{ isNew: boolean }>("POST", `${url}/events`, event);
    see([again.status, again.body.isNew], [200, false], "POST /events, again");
    see(receiver.seen({ what: "arrived", mood: "ok", id: event.id }).length, 1, "calls to ok");
    return `200 ${JSON.stringify(again.body)}; ok was called once`;
  });
  for (const [mood, error] of [
    ["fail", /^answered 500$/],
    ["reset", /ECONNRESET|other side closed|socket hang up/],
    ["hang", /^no answer in 1 s$/],
  ] as const) {
    await story.claim(`${mood} was tried four times, then given up`, async () => {
      const ended = await ends(url, event.id, mood);
      see([ended.state, ended.attempts.length], ["failed", 4], "the delivery");
      for (const attempt of ended.attempts) {
        if (!error.test(attempt.error ?? "")) throw new Error(`attempt ${attempt.number}: ${attempt.error}`);
      }
      return attempts(ended);
    });
  }
  await story.claim(
    "a timed-out attempt ends before the next begins, and so does its connection",
    async () => {
      const { attempts: tried } = await ends(url, event.id, "hang");
      const overlap = tried.some(({ startedAt, ms }, n) => {
        const next = tried[n + 1];
        return next !== undefined && Date.parse(startedAt) + (ms ?? 0) > Date.parse(next.startedAt);
      });
      see(overlap, false, "whether attempts overlap");
      for (let nth = 1; nth <= 4; nth++) {
        await receiver.until({ what: "hung up on", mood: "hang", id: event.id, nth }, giveUp);
      }
      return "no attempt overlaps with another; hang saw four calls, and each hung up";
    },
  );

  story.chapter("4. Twelve events at once");
  const burst: string[] = [];
  for (let n = 0; n < 12; n++) {
    const { body } = await call<{ id: string }>("POST", `${url}/events`, {
      type: "stock.changed",
      data: { n },
    });
    burst.push(body.id);
  }
  await story.claim("an endpoint is never called more than four at a time", async () => {
    for (const id of burst) await receiver.until({ what: "took", mood: "slow", id }, giveUp);
    const most = Math.max(...receiver.seen({ what: "arrived", mood: "slow" }).map(({ open }) => open));
    see(most, 4, "the most calls open to slow");
    return `slow took all ${burst.length}, at most ${most} at once`;
  });
  await story.claim("each attempt that runs is a task, and says which delivery it is about", async () => {
    let first: TaskTree | undefined;
    let count = 0;
    while (first === undefined) {
      const { body } = await call<{ scope: ScopeTree }>("GET", `${url}/tasks`, undefined, giveUp);
      const live = tasksIn(body.scope, "outbox/jobs").filter(({ attributes }) => "event" in attributes);
      [first] = live;
      count = live.length;
    }
    const { event: about, job, attempt } = first.attributes;
    const { body: delivery } = await call<Delivery>("GET", `${url}/deliveries/${String(job)}`);
    see(delivery.event, about, "the event that the first of them is about");
    return `${count} run, one of them attempt ${String(attempt)} at delivery ${delivery.id} of ${delivery.event}`;
  });
  await story.claim("DELETE stops a delivery, and answers when it has stopped", async () => {
    const pending = await call<Delivery[]>(
      "GET",
      `${url}/deliveries?state=pending&endpoint=${endpoints.get("hang")}`,
    );
    const answers = await Promise.all(
      pending.body.map(({ id }) => call<Delivery>("DELETE", `${url}/deliveries/${id}`)),
    );
    const states = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.state));
    see([...states], ["cancelled"], "how the deliveries to hang ended");
    const left = await call<Delivery[]>(
      "GET",
      `${url}/deliveries?state=pending&endpoint=${endpoints.get("hang")}`,
    );
    see(left.body.length, 0, "deliveries to hang that are left");
    return `${answers.length} deliveries to hang were pending, and none is`;
  });

  story.chapter("5. Somebody hangs up");
  await story.claim("what a client waited for ends when the client goes away", async () => {
    const known = new Set(receiver.seen({ what: "arrived", mood: "hang" }).map(({ id }) => id));
    const client = new AbortController();
    const hungUp = call(
      "POST",
      `${url}/endpoints/${endpoints.get("hang")}/test`,
      undefined,
      client.signal,
    ).catch((error: Error) => error.name);
    const { id } = await receiver.until(
      (it) => it.mood === "hang" && it.what === "arrived" && !known.has(it.id),
      giveUp,
    );
    client.abort();
    see(await hungUp, "AbortError", "what the client got");
    await receiver.until({ what: "hung up on", mood: "hang", id }, giveUp);
    const [line] = await service.untilLine(/the test of .* was cancelled.*/);
    return `"${line}"\n      hang saw that call end`;
  });
  await story.claim("meanwhile a service of courier's own has asked everybody how they are", async () => {
    for (const mood of ["fail", "reset", "hang"]) await service.untilLine(new RegExp(`/${mood} is down`));
    for (const mood of ["ok", "slow", "flaky"]) await service.untilLine(new RegExp(`/${mood} is up`));
    const { body } = await call<{ url: string; health: { state: string; note?: string } }[]>(
      "GET",
      `${url}/endpoints`,
    );
    return body
      .map(
        ({ url: at, health }) =>
          `${new URL(at).pathname} ${health.state}${health.note ? ` (${health.note})` : ""}`,
      )
      .join("\n      ");
  });

  story.chapter("6. Two tasks that never end");
  const stuck = await call<string[]>("POST", `${url}/mistake`);
  const seen = await dumpOf(service.process.pid ?? 0, "background/books");
  if ("refusal" in seen)
    story.note(
      `on which line they wait is not seen here: that needs a Linux that lets us look (${seen.refusal})`,
    );
  else {
    await story.claim("the dump names the line on which each of them waits for the other", () => {
      for (const [task, comment] of [
        ["statement", "// archive has them"],
        ["archive", "// statement has them"],
      ] as const) {
        const [, stack] = seen.text.split(`  courier/background/books/${task}\n`);
        const [place] = new RegExp(`(?<=\\n +${task}\\s+)\\S+:\\d+:\\d+`).exec(stack ?? "") ?? [];
        see(place, awaitIn("mistake.ts", comment), `where the dump says that ${task} waits`);
      }
      const stacks = seen.text.slice(seen.text.indexOf("\n\n")).trim();
      const command = `npx holdfast dump ${service.process.pid} --filter background/books --source`;
      return `$ ${command}\n${stacks}`.replaceAll(/\n(?=.)/g, "\n      ");
    });
  }
  await story.claim("nothing else tells: courier is well, and both of them are running", async () => {
    const { status } = await call<object>("GET", `${url}/readyz`);
    const { body } = await call<{ scope: ScopeTree }>("GET", `${url}/tasks`);
    const books = tasksIn(body.scope, "background/books");
    const states = stuck.body.map((path) => books.find((task) => task.path === path)?.state);
    see([status, ...states], [200, "running", "running"], "GET /readyz, and the states of the two");
    return `GET /readyz: ${status}; ${stuck.body.join(" and ")}: running`;
  });
  await story.claim("what has outlived its request is listed with the request it came from", async () => {
    const { body } = await call<{ scope: ScopeTree }>("GET", `${url}/tasks`);
    const origins = tasksIn(body.scope, "background/books").map(({ attributes }) => {
      const { request, method, route } = attributes as Record<string, string>;
      return `${method} ${route}, request ${request}`;
    });
    const [origin] = origins;
    see(origins, [origin, origin], "which requests they come from");
    see(/^POST \/mistake, request req-\w+$/.test(origin ?? ""), true, `whether ${origin} is that request`);
    return `both come from ${origin}`;
  });
  await story.claim(
    "one of them is cancelled, gives back what it has, and the other one goes on",
    async () => {
      const { body } = await call<Record<string, string>>("DELETE", `${url}/mistake`);
      see(body, { statement: "succeeded", archive: "cancelled" }, "how they ended");
      const [line] = await service.untilLine(/^statement: .*/);
      return `archive: cancelled; "${line}"`;
    },
  );

  story.chapter("7. SIGTERM, with deliveries in flight");
  const onTheirWay: string[] = [];
  for (let order = 2_001; order <= 2_008; order++) {
    const { body } = await call<{ id: string }>("POST", `${url}/events`, {
      type: "order.paid",
      data: { order },
    });
    onTheirWay.push(body.id);
  }
  await receiver.until(
    ({ what, mood, id }) => what === "arrived" && mood === "hang" && onTheirWay.includes(id),
    giveUp,
  );
  const isTaken = (id: string): boolean => receiver.seen({ what: "took", mood: "slow", id }).length > 0;
  service.process.kill("SIGTERM");
  const signalled = performance.now();
  const untaken = onTheirWay.filter((id) => !isTaken(id));
  await story.claim("at once it says that it is about to go, and still takes what comes", async () => {
    while ((await call("GET", `${url}/readyz`, undefined, giveUp)).status === 200) await pause(10);
    const { status, body } = await call<{ id: string }>("POST", `${url}/events`, {
      type: "order.paid",
      data: {},
    });
    see(status, 202, "POST /events");
    await receiver.until({ what: "took", mood: "ok", id: body.id }, giveUp);
    return `GET /readyz: 503; POST /events: ${status}, and ok took ${body.id}`;
  });
  await story.claim("then nothing new comes in", async () => {
    for (;;) {
      const status = await call("GET", `${url}/healthz`, undefined, giveUp).then(
        (answer) => answer.status,
        () => undefined,
      );
      if (status === undefined) return "connections are refused";
      if (status !== 200) return `${status}, on a connection that was open`;
      await pause(10);
    }
  });
  await story.claim("what was on its way arrives: slow takes the rest after the signal", async () => {
    if (untaken.length === 0) throw new Error("slow had taken everything before the signal");
    for (const id of untaken) await receiver.until({ what: "took", mood: "slow", id }, giveUp);
    return `slow took ${untaken.length} of ${onTheirWay.length} events after the signal`;
  });
  await story.claim("it ended by itself, in order", async () => {
    const { code, signal } = await service.exit;
    see([code, signal], [0, null], "exit code and signal");
    return `exit code 0, ${((performance.now() - signalled) / 1_000).toFixed(1)} s after the signal`;
  });
  let said: readonly number[] = [];
  await story.claim("its last words account for everything: what has not arrived is kept", async () => {
    const [line, ...counts] = await service.untilLine(
      /^courier has ended: (\d+) pending, (\d+) delivered, (\d+) failed, (\d+) cancelled; what is pending .*/,
    );
    said = counts.map(Number);
    const [words] = await service.untilLine(/^\{"holdfast":"report".*/);
    const report = JSON.parse(words) as CloseReport & { cause: string; signal: string; exitCode: number };
    const { cause, signal, exitCode, abandoned, errors } = report;
    const clean = { cause: "signal", signal: "SIGTERM", exitCode: 0, abandoned: [], errors: [] };
    see({ cause, signal, exitCode, abandoned, errors }, clean, "the report");
    const { succeeded, failed, cancelled } = report;
    return `${line}\n      tasks that ended after the signal: ${succeeded} succeeded, ${failed} failed, ${cancelled} cancelled`;
  });
  await story.claim(
    "started again, it knows all of them, and goes on at once with what is left",
    async () => {
      const arrivals = receiver.seen({ what: "arrived", mood: "hang" }).length;
      const again = start("first");
      const [, address] = await again.untilLine(/listens at (http\S+)/);
      const { body } = await call<{ deliveries: Record<DeliveryState, number> }>("GET", `${address}/tasks`);
      const sum = (counts: readonly number[]): number => counts.reduce((one, other) => one + other, 0);
      see(sum(Object.values(body.deliveries)), sum(said), "how many deliveries it knows");
      await receiver.until(() => receiver.seen({ what: "arrived", mood: "hang" }).length > arrivals, giveUp);
      again.process.kill("SIGKILL");
      return `${sum(said)} deliveries, ${said[0]} of them pending; hang was asked again`;
    },
  );

  await tellOfDeath({ folder, start, receiver, story, giveUp });
  await tellOfReturn({ folder, start, story, giveUp });
}

/** The live tasks of the scope with this path, as courier itself lists them. */
function tasksIn(root: ScopeTree, path: string): readonly TaskTree[] {
  const scope = path
    .split("/")
    .reduce<ScopeTree | undefined>((above, name) => above?.scopes.find((one) => one.name === name), root);
  return scope?.tasks ?? [];
}

/** Waits until a delivery has ended, and returns what courier knows of it. */
async function ends(url: string, event: string, mood: Mood): Promise<Delivery> {
  await service.untilLine(new RegExp(`^${event} → \\S+/${mood}: (delivered|failed|cancelled)`));
  const { body } = await call<Delivery[]>("GET", `${url}/deliveries?event=${event}`);
  const delivery = body.find((one) => one.url.endsWith(`/${mood}`));
  if (delivery === undefined) throw new Error(`courier knows of no delivery of ${event} to ${mood}`);
  return delivery;
}

function attempts(delivery: Delivery): string {
  const words = delivery.attempts.map(({ status, error }) => error ?? `took it with ${status}`);
  const isSame = new Set(words).size === 1;
  return `${words.length} attempts${isSame ? `, each: ${words[0]}` : `: ${words.join(", ")}`}`;
}
