import { createHash } from "node:crypto";
import { main, type Scope } from "holdfast";

import { buildApp, listen } from "./app.ts";
import { moods, Receiver, type Mood } from "./receiver.ts";
import { defaults, fromEnvironment } from "./settings.ts";
import { openStorage } from "./storage.ts";

/** `npm start`: courier, a receiver that is as unreliable as receivers are, and an event every two seconds. */
await main("courier", run, { drain: "5s" });

async function run(scope: Scope): Promise<void> {
  // Impatient, so that there is something to see.
  const impatient = { ...defaults, timeout: "2s", health: "4s", perEndpoint: 8 } as const;
  const { port, place, settings } = fromEnvironment(process.env, impatient);

  // Opened first, so closed last: the deliveries that are still on their way at the end have somewhere to go.
  const receiver = new Receiver();
  for (const mood of Object.keys(moods) as Mood[]) receiver.expect(mood, secretOf(mood));
  await receiver.listen(4101).catch(() => receiver.listen(0));
  scope.defer(() => receiver.close());

  const storage = await openStorage(place);
  const app = await buildApp(scope, { storage, settings });
  const url = await listen(app, port, 4100);
  await subscribe(url, receiver);
  trickle(scope, url);
  console.log(introduction(url, receiver.url, storage.where));
}

/** Asks courier to send everything to each path of the receiver. At each start they are the same endpoints, wherever they are. */
async function subscribe(url: string, receiver: Receiver): Promise<void> {
  for (const mood of Object.keys(moods) as Mood[])
    await call(`${url}/endpoints`, { id: mood, url: `${receiver.url}/${mood}`, secret: secretOf(mood) });
}

/** The same at each start, for what is left of the last one goes out at once; and no secret, for it stands here. */
function secretOf(mood: Mood): string {
  return `whsec_${createHash("sha256").update(`the secret of ${mood}`).digest("base64")}`;
}

/** Orders come in. */
function trickle(scope: Scope, url: string): void {
  let order = 1_000;
  scope.every("traffic", "2s", async ({ signal }) => {
    const data = { order: ++order, total: Math.round(Math.random() * 10_000) / 100, currency: "EUR" };
    await call(`${url}/events`, { type: "order.paid", data }, signal);
  });
}

async function call(url: string, body: object, signal?: AbortSignal): Promise<void> {
  const headers = { "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(body), ...(signal && { signal }) };
  const response = await fetch(url, request);
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

function introduction(url: string, receiver: string, where: string): string {
  const behaviour = Object.entries(moods).map(([mood, words]) => `    ${`/${mood}`.padEnd(8)} ${words}`);
  return `
  courier is up.             ${url}
  A flaky receiver is too.   ${receiver}
${behaviour.join("\n")}
  What must not be lost is   ${where}

  An event comes in every two seconds and goes to all of them.
  To look, in another terminal:

    curl -s ${url}/       # all that runs, as a tree
    curl -s ${url}/tasks  # the same as JSON
    curl -s '${url}/deliveries?state=failed&limit=1'
    curl -s ${url}/endpoints
    curl -s ${url}/events -H 'content-type: application/json' \\
      -d '{"type":"hello","data":{"from":"me"}}'

  Ctrl-C ends it: it takes nothing new, lets what is in flight finish, and says
  what became of everything. What is left goes on at the next start, and so it
  does after 'kill -9 ${process.pid}'. 'npm run tour' tells the whole story by itself.
`;
}
