import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { dump } from "../../src/inspect/dump.ts";
import { can, printedDump, Program, stateOf } from "./programs.ts";

/* Processes that cannot be read, or not like others: each is told by its own code, and in words that help. */

const isLinux = process.platform === "linux";
const isRoot = process.getuid?.() === 0;
/** Two users that nothing belongs to. */
const ONE = ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups"];
const OTHER = ["setpriv", "--reuid=61002", "--regid=61002", "--clear-groups"];
/** Whether another user can be played, and may then run what is tested here. */
const canPlayUsers =
  isLinux &&
  isRoot &&
  can(ONE[0] ?? "", ...ONE.slice(1), process.execPath, "-p", "1") &&
  can(ONE[0] ?? "", ...ONE.slice(1), "test", "-r", import.meta.filename);
const canUnshare = isLinux && isRoot && can("unshare", "--pid", "--mount", "--fork", "true");
/** System calls by number, of x64. */
const hasPerl = process.arch === "x64" && can("perl", "-e", "1");
const folder = mkdtempSync(join(tmpdir(), "holdfast-unhappy-"));

afterAll(() => rmSync(folder, { recursive: true }));

function refusal(pid: number): Promise<{ code?: string; message?: string }> {
  return dump({ pid }).then(
    () => ({}),
    (error: unknown) => error as { code?: string; message?: string },
  );
}

async function untilState(pid: number, wanted: RegExp): Promise<void> {
  while (!wanted.test(stateOf(pid))) await new Promise((resolve) => void setImmediate(resolve));
}

/** A thread of the kernel, if this machine shows any. */
function kernelThread(): number | undefined {
  if (!isLinux) return undefined;
  try {
    return /kthreadd/.test(readFileSync("/proc/2/comm", "latin1")) ? 2 : undefined;
  } catch {
    // In a container there are none to be seen.
    return undefined;
  }
}

describe.skipIf(!isLinux)("what is no process", () => {
  test.each([-5, 0, 1.5, Number.NaN, 2 ** 22 + 1, 99_999_999_999])("pid %d", async (pid) => {
    expect(await refusal(pid)).toMatchObject({
      code: "HF_NO_SUCH_PROCESS",
      message: expect.stringContaining(String(pid)),
    });
  });

  test("one that has ended", async () => {
    const { pid, ended } = new Program("true", []);
    await ended;
    expect(await refusal(pid)).toMatchObject({
      code: "HF_NO_SUCH_PROCESS",
      message: `no process has the pid ${pid}`,
    });
  });

  test("a thread, which the message leads on from", async () => {
    const target = await Program.node("waits.cjs");
    const threads = execFileSync("ls", [`/proc/${target.pid}/task`], { encoding: "utf8" })
      .trim()
      .split("\n");
    const thread = Number(threads.at(-1));
    expect(await refusal(thread)).toMatchObject({
      code: "HF_NO_SUCH_PROCESS",
      message: `${thread} is a thread of process ${target.pid}: ask for that one`,
    });
  });

  test("a zombie", async () => {
    // Not a shell, which may fetch the end of its child before it waits.
    const parent = new Program("perl", [
      "-e",
      '$| = 1; my $child = fork; exit unless $child; print "$child\\n"; sleep 60',
    ]);
    const [, child] = await parent.untilSaid(/(\d+)\n/);
    await untilState(Number(child), /Z/);
    expect(await refusal(Number(child))).toMatchObject({
      code: "HF_PROCESS_GONE",
      message: expect.stringContaining("zombie"),
    });
  });

  test.skipIf(kernelThread() === undefined)("a thread of the kernel", async () => {
    expect(await refusal(kernelThread() ?? 0)).toMatchObject({
      code: "HF_NOT_NODE",
      message: expect.stringContaining("kernel"),
    });
  });
});

describe.skipIf(!isLinux)("what is no Node", () => {
  test("another program", async () => {
    const target = new Program("sleep", ["60"]);
    expect(await refusal(target.pid)).toMatchObject({
      code: "HF_NOT_NODE",
      message: expect.stringContaining("is sleep, and no Node"),
    });
  });

  test("a Node without symbols: said to be one", async () => {
    const node = join(folder, "node");
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    hideSymbols(node);
    const target = await Program.node("waits.cjs", [], { node });
    expect(await refusal(target.pid)).toMatchObject({
      code: "HF_NOT_NODE",
      message: expect.stringContaining("stripped"),
    });
  });
});

/** What stripping its symbols does to an executable, for a reader: the names are gone. */
function hideSymbols(path: string): void {
  const bytes = readFileSync(path);
  for (const name of ["v8dbg_", "_ZN2v88internal7Version"]) {
    for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1))
      bytes[at + name.length - 2] = 0x58;
  }
  writeFileSync(path, bytes);
}

describe.skipIf(!isLinux)("a process that ends", () => {
  test("while it is read", async () => {
    const target = await Program.node("waits.cjs");
    const asked = refusal(target.pid);
    target.process.kill("SIGKILL");
    expect((await asked).code).toMatch(/^HF_(PROCESS_GONE|NO_SUCH_PROCESS)$/);
  });
});

describe.skipIf(!isLinux)("a process that can be read all the same", () => {
  test("blocked in a loop, with worker threads: the main thread's isolate is number 0", async () => {
    const target = await Program.node("workers.cjs", ["busy"]);
    const { functions = [] } = printedDump([String(target.pid)]);
    const waiting = functions.filter(({ name }) => name.endsWith("Waits"));
    expect(waiting.map(({ name, isolate }) => `${name} ${isolate}`).toSorted()).toEqual([
      "mainWaits 0",
      "workerWaits 1",
      "workerWaits 2",
      "workerWaits 3",
    ]);
  });

  test("in which only workers wait: none of them is number 0", async () => {
    const target = await Program.node("workers.cjs", ["worker only"]);
    const { functions = [] } = printedDump([String(target.pid)]);
    expect(
      functions
        .filter(({ name }) => name === "workerWaits")
        .map(({ isolate }) => isolate)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2, 3]);
    expect(functions.filter(({ name }) => name === "mainWaits")).toEqual([]);
  });

  test("stopped: it stays so, and that is said", async () => {
    const target = await Program.node("waits.cjs");
    target.process.kill("SIGSTOP");
    await untilState(target.pid, /T/);
    const { functions, warnings } = printedDump([String(target.pid)]);
    expect(functions?.map(({ name }) => name)).toEqual(expect.arrayContaining(["inner", "outer"]));
    expect(warnings).toEqual([expect.stringContaining("is stopped")]);
    expect(target.state).toBe("T");
  });

  test("whose executable was replaced since", async () => {
    const node = join(folder, "node-to-go");
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    const target = await Program.node("waits.cjs", [], { node });
    rmSync(node);
    expect(printedDump([String(target.pid)]).functions?.map(({ name }) => name)).toContain("inner");
  });

  test.skipIf(!canUnshare)("in namespaces of its own, as in a container", async () => {
    const program = new Program("unshare", [
      "--pid",
      "--mount",
      "--fork",
      "--mount-proc",
      "--kill-child",
      process.execPath,
      join(import.meta.dirname, "fixtures/waits.cjs"),
    ]);
    await program.untilSaid(/^ready$/m);
    const inner = Number(readFileSync(`/proc/${program.pid}/task/${program.pid}/children`, "latin1"));
    expect(printedDump([String(inner)]).functions?.map(({ name }) => name)).toContain("inner");
  });

  test("this one, also without the reader's own functions", () => {
    const { functions = [], target } = printedDump([]);
    expect(functions.map(({ name }) => name)).toContain("ownWaits");
    expect(
      functions.filter(({ name, file }) => /canary/i.test(name) || file?.includes("reader-thread") === true),
    ).toEqual([]);
    expect(functions.every(({ isolate }) => isolate === 0)).toBe(true);
    expect(target?.node).toBe(process.versions.node);
  });
});

describe.skipIf(!isLinux)("a process that may not be read", () => {
  test.skipIf(!canPlayUsers)("another user's", async () => {
    const target = await startedAs(ONE);
    expect(printedDump([String(target)], OTHER)).toMatchObject({
      code: "HF_NOT_ALLOWED",
      message: expect.stringContaining("belongs to user 61001, and this runs as user 61002"),
    });
    expect(printedDump([String(target)], ONE).functions?.map(({ name }) => name)).toContain("inner");
  });

  test.skipIf(!canPlayUsers)("one whose executable its own user may run, and not read", async () => {
    const node = join(folder, "node-to-run-only");
    copyFileSync(process.execPath, node);
    chmodSync(folder, 0o755);
    chmodSync(node, 0o711);
    const target = await startedAs(ONE, node);
    expect(printedDump([String(target)], ONE)).toMatchObject({
      code: "HF_NOT_ALLOWED",
      message: expect.stringContaining(`${node}, may not be read`),
    });
    expect(printedDump([String(target)]).functions?.map(({ name }) => name)).toContain("inner");
  });

  test.skipIf(!canPlayUsers || !hasPerl)("one that is not dumpable, as after setuid", async () => {
    // prctl(PR_SET_DUMPABLE, 0). That it is no Node is not seen: the rights are asked for first.
    const source = "syscall(157, 4, 0, 0, 0, 0); $| = 1; print qq(ready\\n); sleep 60";
    const [command = "", ...args] = ONE;
    const target = new Program(command, [...args, "perl", "-e", source]);
    await target.untilSaid(/ready/);
    expect(printedDump([String(target.pid)], ONE)).toMatchObject({
      code: "HF_NOT_ALLOWED",
      message: expect.stringContaining("not dumpable"),
    });
  });

  test.skipIf(!canPlayUsers)("by a root without CAP_SYS_PTRACE", async () => {
    const target = await startedAs(ONE);
    expect(
      printedDump([String(target)], ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]),
    ).toMatchObject({
      code: "HF_NOT_ALLOWED",
      message: expect.stringContaining("without CAP_SYS_PTRACE"),
    });
  });
});

/** A process of another user. */
async function startedAs(
  [command = "", ...args]: readonly string[],
  node: string = process.execPath,
): Promise<number> {
  const target = new Program(command, [...args, node, join(import.meta.dirname, "fixtures/waits.cjs")]);
  await target.untilSaid(/^ready$/m);
  return target.pid;
}

test.each<[unknown, string, string]>([
  [4711, "options", "options is 4711: expected an object, such as { pid: 4711 }"],
  [null, "options", "options is null: expected an object, such as { pid: 4711 }"],
  [{ pid: "4711" }, "pid", 'pid is "4711": expected the id of a process'],
])("dump(%j) is refused, and does not become one of this process", async (options, option, message) => {
  await expect(dump(options as never)).rejects.toMatchObject({ code: "HF_BAD_OPTION", option, message });
});

test("dump with stop of this process is refused: it could not read", async () => {
  await expect(dump({ stop: true })).rejects.toMatchObject({ code: "HF_CANNOT_STOP" });
});
