import type { Engine } from "holdfast/jobs";

import type { Contender } from "./contender.ts";
import { holdfast } from "./holdfast.ts";

export const POSTGRES = "holdfast, Postgres";

interface Database {
  readonly url: string;
  remove(): Promise<unknown>;
}

/** Undefined: this holdfast was built without that engine. */
export async function onPostgres(server: string): Promise<Contender | undefined> {
  const load = (path: string): Promise<unknown> => import(new URL(path, import.meta.url).href);
  try {
    const { postgres } = (await load("../../dist/jobs/postgres/index.js")) as {
      postgres: (url: string) => Engine;
    };
    const { newDatabase } = (await load("../peers/database.mjs")) as {
      newDatabase: (url: string) => Promise<Database>;
    };
    return holdfast(POSTGRES, async () => {
      const { url, remove } = await newDatabase(server);
      return { engine: postgres(url), remove };
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
