import { afterEach, describe, expect, test, vi } from "vitest";
import type { ProcessStatus } from "../../src/inspect/process-status.ts";
import { notAllowed } from "../../src/inspect/rights.ts";

/* Which rule forbids to read a process, on machines that this one is not: what the kernel's files say is made up. */

const files = vi.hoisted(() => ({
  readFileSync: vi.fn<(path: string) => string>(),
  readlinkSync: vi.fn<(path: string) => string>(),
  statSync: vi.fn<(path: string) => { readonly uid: number }>(),
}));

vi.mock("node:fs", async (original) => ({ ...(await original<object>()), ...files }));

const YAMA = "/proc/sys/kernel/yama/ptrace_scope";
const SYS_PTRACE = "0000000000080000";
const NONE = "0000000000000000";

const systemError = (code: string, path?: string): Error =>
  Object.assign(new Error(code), { code, ...(path === undefined ? {} : { path }) });

interface Machine {
  /** Who reads. */
  readonly own: number;
  readonly capabilities: string;
  /** Undefined for a kernel without Yama. */
  readonly yama: string | undefined;
  /** To whom the memory of the process belongs, as a file. */
  readonly fileOwner: number;
}

/** What is said of process 4711 of user 1000, on a machine. */
function said(machine: Partial<Machine>, user = 1000): string {
  const { own, capabilities, yama, fileOwner } = {
    own: 1000,
    capabilities: NONE,
    yama: undefined,
    fileOwner: user,
    ...machine,
  };
  vi.spyOn(process, "geteuid").mockReturnValue(own);
  files.readFileSync.mockImplementation((path) => {
    if (path === "/proc/self/status") return `Name:\tnode\nCapEff:\t${capabilities}\n`;
    if (path !== YAMA) throw new Error(`nobody asked for ${path}`);
    if (yama === undefined) throw systemError("ENOENT", path);
    return `${yama}\n`;
  });
  files.statSync.mockReturnValue({ uid: fileOwner });
  const error = notAllowed(4711, { user } as ProcessStatus, systemError("EACCES", "/proc/4711/mem"));
  expect(error.code).toBe("HF_NOT_ALLOWED");
  expect(error.message).toContain("process 4711 may not be read (EACCES)");
  return error.message;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a refusal says which rule it was", () => {
  test.each([
    ["1", /ptrace_scope is 1: only its own ancestors may read it; .*sysctl kernel\.yama\.ptrace_scope=0/],
    ["2", /ptrace_scope is 2: only a process with CAP_SYS_PTRACE/],
    ["3", /ptrace_scope is 3: nobody may read another process/],
  ])("Yama's, where it is %s", (yama, words) => {
    expect(said({ yama })).toMatch(words);
  });

  test("Yama's also for root, who has the right otherwise", () => {
    expect(said({ yama: "3", own: 0, capabilities: SYS_PTRACE })).toMatch(/ptrace_scope is 3/);
  });

  test("none of Yama's, where it is 0 or absent: what is left is said", () => {
    expect(said({ yama: "0" })).toMatch(/so is \S+ \(0\): a security module .*; run this as root$/);
    expect(said({})).toMatch(/so is everything that can be asked: a security module/);
    expect(said({ own: 0, capabilities: SYS_PTRACE })).toMatch(/namespace of the process's own, forbids it$/);
  });

  test("the other user's, before anything of Yama is asked", () => {
    expect(said({ yama: "1", own: 1001 })).toMatch(
      /it belongs to user 1000, and this runs as user 1001; run this as user 1000, or as root/,
    );
  });

  test("a root's without the capability", () => {
    expect(said({ own: 0, yama: "1" })).toMatch(/as root, but without CAP_SYS_PTRACE.*--cap-add SYS_PTRACE/);
  });

  test("that of a process that is not dumpable, whose files are root's", () => {
    expect(said({ fileOwner: 0, yama: "1" })).toMatch(/it is not dumpable/);
  });
});

describe("an executable that may not be read", () => {
  const cause = systemError("EACCES", "/proc/4711/exe");

  test("is named", () => {
    files.readlinkSync.mockReturnValue("/opt/node");
    expect(notAllowed(4711, { user: 1000 } as ProcessStatus, cause).message).toMatch(
      /the executable of process 4711, \/opt\/node, may not be read by this user.*chmod \+r/,
    );
  });

  test("is not the reason where the process itself may not be looked at", () => {
    files.readlinkSync.mockImplementation(() => {
      throw systemError("EACCES");
    });
    vi.spyOn(process, "geteuid").mockReturnValue(1001);
    expect(notAllowed(4711, { user: 1000 } as ProcessStatus, cause).message).toMatch(/belongs to user 1000/);
  });
});
