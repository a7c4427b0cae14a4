import { main } from "holdfast";

import { buildApp, listen } from "./app.ts";
import { fromEnvironment } from "./settings.ts";
import { openStorage } from "./storage.ts";

/** The service alone, as one would deploy it. `start.ts` runs it beside a receiver and some traffic. */
await main(
  "courier",
  async (scope) => {
    const { port, place, settings } = fromEnvironment(process.env);
    const app = await buildApp(scope, { storage: await openStorage(place), settings });
    console.log(`courier listens at ${await listen(app, port, 4100)}`);
  },
  // For two seconds it says that it is about to go, and still takes what comes; then it lets what is in flight finish.
  { notReadyFor: "2s", drain: "15s" },
);
