import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "vitest";
import { killAtRandom } from "./kills.ts";

/** `npm run test:faults` has more of them. */
const KILLS = process.env["HOLDFAST_FAULTS"] === undefined ? 10 : 300;

test(
  `${KILLS} kills of workers and enqueuers on one SQLite file: nothing acknowledged is lost or undone, everything ends`,
  { timeout: 60_000 + KILLS * 3000 },
  async ({ onTestFinished: onFinished }) => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-kills-"));
    onFinished(() => rmSync(folder, { recursive: true, force: true }));
    console.log(
      await killAtRandom({
        engine: `sqlite:${join(folder, "jobs.db")}`,
        folder,
        kills: KILLS,
        lease: 2,
        onFinished,
      }),
    );
  },
);
