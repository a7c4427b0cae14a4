import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test, type TestContext } from "vitest";
import { PostgresServer } from "../../jobs/postgres/server.ts";
import { killAtRandom } from "./kills.ts";
import { blocked, jumped, stopped, versions, type Place } from "./leases.ts";

/** `npm run test:faults` has more of them. */
const KILLS = process.env["HOLDFAST_FAULTS"] === undefined ? 10 : 40;

const server = new PostgresServer();
beforeAll(() => server.start());
afterAll(() => server.remove());

let places = 0;
/** A schema of one's own. */
function place({ onTestFinished: onFinished }: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-postgres-kills-"));
  onFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { engine: `${server.url}#place_${++places}`, folder, lease: 10, onFinished };
}

test.concurrent(
  `${KILLS} kills of workers and enqueuers on Postgres: nothing acknowledged is lost or undone, everything ends`,
  { timeout: 120_000 + KILLS * 5000 },
  async (t) => {
    console.log(await killAtRandom({ ...place(t), kills: KILLS }));
  },
);

// Side by side: most of their time is that of leases which end.
const leases = { timeout: 120_000 };
test.concurrent(
  "Postgres: a worker that was stopped past its lease can store nothing any more",
  leases,
  (t) => stopped(place(t)),
);
test.concurrent("Postgres: a worker whose event loop stood past its lease completes nothing", leases, (t) =>
  blocked(place(t)),
);
test.concurrent("Postgres: a clock that jumps an hour ahead ends no lease", leases, (t) =>
  jumped(place(t), 1, { isDatabase: true }),
);
test.concurrent(
  "Postgres: a clock that jumps an hour back ends no lease, and starts nothing twice",
  leases,
  (t) => jumped(place(t), -1, { isDatabase: true }),
);
test.concurrent("Postgres: a worker with older code leaves the jobs that it does not know", leases, (t) =>
  versions(place(t)),
);
