import { main, type Scope } from "holdfast";

import { buildApp, listen } from "./app.ts";
import { moods, Receiver, type Mood } from "./receiver.ts";
import { fromEnvironment } from "./settings.ts";
import { makeSecret } from "./signature.ts";

/** `npm start`: courier, a receiver that is as unreliable as receivers are, and an event every two seconds. */
await main("courier", run, { drain: "5s" });

async function run(scope: Scope): Promise<void> {
  const { port, settings } = fromEnvironment(process.env);

  // Opened first, so closed last: the deliveries that are still on their way at the end have somewhere to go.
  const receiver = new Receiver();
  await receiver.listen(4101).catch(() => receiver.listen(0));
  scope.defer(() => receiver.close());

  const app = await buildApp(scope, { settings: { timeout: "2s", ...settings } });
  const url = await listen(app, port, 4100);
  await subscribe(url, receiver);
  trickle(scope, url);
  console.log(introduction(url, receiver.url));
}

/** Asks courier to send everything to each path of the receiver. */
async function subscribe(url: string, receiver: Receiver): Promise<void> {
  for (const mood of Object.keys(moods) as Mood[]) {
    const secret = makeSecret();
    receiver.expect(mood, secret);
    await call(`${url}/endpoints`, { url: `${receiver.url}/${mood}`, secret });
  }
}

/** Orders come in. */
function trickle(scope: Scope, url: string): void {
  let order = 1_000;
  scope.every("traffic", "2s", async () => {
    const data = { order: ++order, total: Math.round(Math.random() * 10_000) / 100, currency: "EUR" };
    await call(`${url}/events`, { type: "order.paid", data });
  });
}

async function call(url: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

function introduction(url: string, receiver: string): string {
  const behaviour = Object.entries(moods).map(([mood, words]) => `    ${`/${mood}`.padEnd(8)} ${words}`);
  return `
  courier is up.             ${url}
  A flaky receiver is too.   ${receiver}
${behaviour.join("\n")}

  An event comes in every two seconds and goes to all of them. To look, in another terminal:

    curl -s '${url}/deliveries?limit=5'
    curl -s '${url}/deliveries?state=failed&limit=1'
    curl -s ${url}/endpoints
    curl -s ${url}/tasks
    curl -s ${url}/events -H 'content-type: application/json' -d '{"type":"hello","data":{"from":"me"}}'

  Ctrl-C ends it: it takes nothing new, lets deliveries finish, and says what became of everything.
  'npm run tour' tells the whole story by itself.
`;
}
