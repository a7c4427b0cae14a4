import { setTimeout as sleep } from "node:timers/promises";
import { openScope, watch } from "../../dist/index.js";
import { startAgent } from "../../dist/agent/agent.js";

/* Waits, and says which share of one core that took, in percent: `node waiting.mjs bare|watched SECONDS`. */

const [how, seconds] = process.argv.slice(2);
const scope = openScope("waiting");
scope.spawn("sleeper", (task) => task.sleep("1h"));
if (how === "watched") {
  watch(scope, { journal: true });
  await startAgent({ name: "waiting" });
}
// By then the first sweep has started the watchdog's thread, and what was loaded is compiled.
await sleep(3_000);
const before = process.cpuUsage();
const started = performance.now();
await sleep(Number(seconds) * 1_000);
const { user, system } = process.cpuUsage(before);
console.log(((user + system) / 1_000 / (performance.now() - started)) * 100);
await scope.close();
process.exit();
