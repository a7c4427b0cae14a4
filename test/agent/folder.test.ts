import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { startAgent } from "../../src/agent/agent.ts";
import {
  checkFolder,
  listPlaces,
  makeFolder,
  removeStale,
  runtimeFolder,
  startOf,
} from "../../src/agent/folder.ts";
import { hasPid } from "../../src/watch/pids.ts";
import { atEnd, agentOf, folder, tidy } from "./ask.ts";

afterEach(tidy());

const isRoot = process.geteuid?.() === 0;
/** Above what the kernel gives. */
const NOBODY = 4_194_305;

/** The socket of a process that was killed: bound, and nobody listens any more. */
function deadSocket(path: string): void {
  const code = `
    require("node:net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"));
  `;
  spawnSync(process.execPath, ["-e", code, path]);
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe("where it is", () => {
  test("in XDG_RUNTIME_DIR, where that is this user's own folder", () => {
    const own = folder();
    expect(runtimeFolder({ XDG_RUNTIME_DIR: own })).toBe(join(own, "holdfast"));
  });

  test("else in the folder for temporary files", () => {
    const fallback = join(tmpdir(), `holdfast-${process.geteuid?.()}`);
    expect(runtimeFolder({})).toBe(fallback);
    expect(runtimeFolder({ XDG_RUNTIME_DIR: "run" })).toBe(fallback);
    expect(runtimeFolder({ XDG_RUNTIME_DIR: join(folder(), "gone") })).toBe(fallback);
  });

  test.skipIf(!isRoot)("also where XDG_RUNTIME_DIR is another user's, as sudo may leave it", () => {
    const others = folder();
    chownSync(others, 61_001, 61_001);
    expect(runtimeFolder({ XDG_RUNTIME_DIR: others })).toBe(join(tmpdir(), "holdfast-0"));
  });
});

describe("who may get at it", () => {
  test("the folder is made 0700, the socket 0600, named by the pid", async () => {
    const own = join(folder(), "deep", "holdfast");
    const { agent } = await agentOf({ folder: own });
    expect(agent.socket).toBe(join(own, `${process.pid}.sock`));
    expect((statSync(own).mode & 0o777).toString(8)).toBe("700");
    expect((lstatSync(agent.socket).mode & 0o777).toString(8)).toBe("600");
  });

  test.each([0o770, 0o701, 0o722])("a folder with the mode %o is refused", async (mode) => {
    const own = folder();
    chmodSync(own, mode);
    await expect(startAgent({ name: "test", folder: own })).rejects.toMatchObject({
      code: "HF_FOLDER_REFUSED",
      message: expect.stringContaining(`chmod 700 ${own}`) as string,
    });
    expect(() => listPlaces(own)).toThrow("can be used by other users");
  });

  test.skipIf(!isRoot)("one that belongs to another user is refused", () => {
    const own = folder();
    chownSync(own, 61_001, 61_001);
    expect(() => makeFolder(own)).toThrow(`${own} belongs to user 61001, and this runs as user 0`);
    expect(() => listPlaces(own)).toThrow("belongs to user 61001");
  });

  test("a link is not followed, a file is no folder", () => {
    const own = folder();
    mkdirSync(join(own, "elsewhere"), { mode: 0o700 });
    symlinkSync(join(own, "elsewhere"), join(own, "link"));
    writeFileSync(join(own, "file"), "");
    expect(() => checkFolder(join(own, "link"))).toThrow("is no folder");
    expect(() => checkFolder(join(own, "file"))).toThrow("is no folder");
    expect(checkFolder(join(own, "gone"))).toBe(false);
  });

  test.skipIf(process.platform !== "linux")(
    "a folder that cannot be made is told, and not tried for ever",
    () => {
      expect(() => makeFolder("/proc/self/holdfast/run")).toThrow(/ENOENT|EACCES|EPERM/);
    },
  );

  test("a path that is too long for a socket is told, not cut", () => {
    const own = join(folder(), "x".repeat(100));
    expect(() => makeFolder(own)).toThrow(/too long a path for a socket .*TMPDIR/);
  });
});

describe("what is left of the dead", () => {
  test("a socket on which nobody answers, of a process that is gone, is stale", () => {
    const own = folder();
    const socket = join(own, `${NOBODY}.sock`);
    deadSocket(socket);
    expect(listPlaces(own)).toEqual([{ pid: NOBODY, socket }]);
    expect(removeStale({ pid: NOBODY, socket })).toBe(true);
    expect(existsSync(socket)).toBe(false);
    expect(removeStale({ pid: NOBODY, socket })).toBe(true);
  });

  test("of a process that lives it is not: it may be about to listen", () => {
    const socket = join(folder(), `${process.pid}.sock`);
    deadSocket(socket);
    expect(removeStale({ pid: process.pid, socket })).toBe(false);
    expect(existsSync(socket)).toBe(true);
  });

  test.skipIf(process.platform !== "linux")(
    "unless that one began later than the socket: a pid is used again",
    () => {
      const socket = join(folder(), `${process.pid}.sock`);
      deadSocket(socket);
      const before = (startOf(process.pid) ?? 0) / 1000 - 60;
      utimesSync(socket, before, before);
      expect(removeStale({ pid: process.pid, socket })).toBe(true);
    },
  );

  test("what is no socket is left alone", () => {
    const own = folder();
    const file = join(own, `${NOBODY}.sock`);
    writeFileSync(file, "");
    expect(removeStale({ pid: NOBODY, socket: file })).toBe(false);
    expect(existsSync(file)).toBe(true);
  });

  test("an agent takes the place of one that had its pid, but not of one that answers", async () => {
    const own = folder();
    const socket = join(own, `${process.pid}.sock`);
    deadSocket(socket);
    const { agent } = await agentOf({ folder: own });
    expect(agent.socket).toBe(socket);
    await expect(startAgent({ name: "second", folder: own })).rejects.toThrow("listens on");
  });

  test("an agent that starts removes what the dead have left, and nothing that answers", async () => {
    const own = folder();
    for (const pid of [NOBODY, NOBODY + 1]) deadSocket(join(own, `${pid}.sock`));
    const elsewhere = createServer().listen(join(own, `${NOBODY + 2}.sock`));
    atEnd(() => new Promise((resolve) => void elsewhere.close(resolve)));
    await new Promise((resolve) => elsewhere.once("listening", resolve));
    await agentOf({ folder: own });
    expect(listPlaces(own).map(({ pid }) => pid)).toEqual([process.pid, NOBODY + 2]);
  });

  test("closing removes the socket, twice as well as once", async () => {
    const { agent } = await agentOf();
    await agent.close();
    expect(existsSync(agent.socket)).toBe(false);
    await agent.close();
  });

  test("only sockets by number are agents", async () => {
    const own = folder();
    writeFileSync(join(own, "notes.txt"), "");
    writeFileSync(join(own, "1x.sock"), "");
    expect(listPlaces(own)).toEqual([]);
    const server = createServer().listen(join(own, "12.sock"));
    atEnd(() => new Promise((resolve) => void server.close(resolve)));
    await new Promise((resolve) => server.once("listening", resolve));
    expect(listPlaces(own).map(({ pid }) => pid)).toEqual([12]);
  });
});

test("a process's age and life are known from outside", () => {
  expect(hasPid(process.pid)).toBe(true);
  expect(hasPid(NOBODY)).toBe(false);
  const startedAt = Date.now() - process.uptime() * 1000;
  expect(Math.abs((startOf(process.pid) ?? startedAt) - startedAt)).toBeLessThan(2000);
  expect(startOf(NOBODY)).toBeUndefined();
});
