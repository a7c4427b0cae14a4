import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findBinaries, freePort, PostgresServer } from "../../test/jobs/postgres/server.ts";
import { owned } from "../inspect/children.ts";

/** A server of this run: on a free port, with its data in a temporary folder. */
export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Redis as BullMQ wants it: what it acknowledges is on the disk within a second. Undefined: there is no binary. */
export async function startRedis(): Promise<Server | undefined> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) return undefined;
  const port = await freePort();
  const args = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--maxmemory-policy",
    "noeviction",
  ];
  return start(
    "redis-server",
    (folder) => [...args, "--dir", folder, "--appendonly", "yes", "--appendfsync", "everysec"],
    "Ready to accept connections",
    `redis://127.0.0.1:${port}`,
  );
}

/** Postgres with its defaults: a commit is on the disk when it is acknowledged. Undefined: it is not installed. */
export async function startPostgres(): Promise<Server | undefined> {
  if ((await findBinaries()) === undefined) return undefined;
  const server = new PostgresServer({ isDurable: true });
  await server.start();
  const { pid } = server;
  const kill = (): void => void process.kill(pid, "SIGINT");
  process.once("exit", kill);
  return {
    url: server.url,
    stop: async () => {
      process.off("exit", kill);
      await server.remove();
    },
  };
}

async function start(
  command: string,
  prepare: (folder: string) => readonly string[],
  ready: string,
  url: string,
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-server-"));
  const remove = (): void =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.once("exit", remove);
  const child = owned(spawn(command, prepare(folder), { cwd: folder, stdio: ["ignore", "pipe", "pipe"] }));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    const hear = (text: string): void => {
      said = (said + text).slice(-10_000);
      if (said.includes(ready)) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${command} has ended with ${code}: ${said}`)));
  });
  for (const stream of [child.stdout, child.stderr]) stream.removeAllListeners("data").resume();
  return {
    url,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, "exit");
        // Both end at once, and in order.
        child.kill("SIGINT");
        await ended;
      }
      process.off("exit", remove);
      remove();
    },
  };
}
