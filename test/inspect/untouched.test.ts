import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { can, printedDump, Program } from "./programs.ts";

/** Nothing runs in the target, and nothing is sent to it: as the kernel sees it. */
const hasStrace = process.platform === "linux" && can("strace", "-f", "-o", "/dev/null", "true");
const folder = mkdtempSync(join(tmpdir(), "holdfast-strace-"));
const CALLS =
  "kill,tkill,tgkill,rt_sigqueueinfo,rt_tgsigqueueinfo,pidfd_send_signal,pidfd_open,ptrace,process_vm_readv,process_vm_writev,connect,sendto,sendmsg,openat";

afterAll(() => rmSync(folder, { recursive: true }));

/** The calls that a dump makes which name the target, and all traces and sockets. */
function callsOf(
  args: readonly string[],
  pid: number,
): { signals: string[]; files: string[]; others: string[] } {
  const log = join(folder, `${args.join("-")}.log`);
  const printed = printedDump(args, ["strace", "-f", "-qq", "-o", log, "-e", `trace=${CALLS}`]);
  expect(printed.functions?.length).toBeGreaterThan(0);
  const lines = readFileSync(log, "utf8").split("\n");
  return {
    signals: lines.filter((line) =>
      new RegExp(`\\b(kill|tkill|tgkill|rt_\\w*sigqueueinfo)\\(${pid}\\b`).test(line),
    ),
    files: lines.filter((line) => line.includes(`/proc/${pid}/`)),
    others: lines.filter((line) => /\b(ptrace|process_vm_\w+|pidfd_\w+|connect|sendto|sendmsg)\(/.test(line)),
  };
}

// Where strace is missing: apt-get install strace.
test.skipIf(!hasStrace)(
  "a dump sends no signal, traces nothing, connects to nothing, and writes nothing",
  async () => {
    const target = await Program.node("waits.cjs");
    const { signals, files, others } = callsOf([String(target.pid)], target.pid);
    expect(signals).toEqual([]);
    expect(others).toEqual([]);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) expect(file).toMatch(/O_RDONLY/);
  },
  60_000,
);

test.skipIf(!hasStrace)(
  "with stop it sends SIGSTOP and SIGCONT, in turn, and nothing else",
  async () => {
    const target = await Program.node("waits.cjs");
    const { signals, others } = callsOf([String(target.pid), "stop"], target.pid);
    const sent = signals.map((line) => /SIG\w+/.exec(line)?.[0]);
    expect(sent.length).toBeGreaterThanOrEqual(4);
    expect(sent).toEqual(sent.map((_, index) => (index % 2 === 0 ? "SIGSTOP" : "SIGCONT")));
    expect(others.filter((line) => /ptrace|process_vm|pidfd/.test(line))).toEqual([]);
  },
  60_000,
);
