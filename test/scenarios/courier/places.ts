import { onTestFinished } from "vitest";

import type { Place } from "../../../examples/courier/storage.ts";
import { findBinaries, PostgresServer } from "../../jobs/postgres/server.ts";
import { ownState } from "../process/child.ts";

const hasPostgres = (await findBinaries()) !== undefined;

/** Where courier may have its data: each call a new, empty place, until the test has finished. */
export const places: Readonly<Record<string, () => Promise<Place>>> = {
  SQLite: async () => ({ data: ownState() }),
  ...(hasPostgres && {
    async Postgres() {
      const server = new PostgresServer();
      await server.start();
      onTestFinished(() => server.remove());
      return { database: server.url };
    },
  }),
};
