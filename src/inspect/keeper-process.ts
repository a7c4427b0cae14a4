/* oxlint-disable house/one-clock -- runs in a process of its own, where the clock of the house is not */

/**
 * The whole of the keeper's process. It is started from its own source text: **it must not refer to anything outside of
 * itself**. Its standard input is a pipe that only the reader holds: when that ends, whatever became of the reader, the
 * process that was stopped goes on.
 */
export function keeper(pid: number): void {
  const { readFileSync, readdirSync, writeSync } = process.getBuiltinModule("node:fs");
  /** No stop may last longer, whatever the reader does: it may be stopped itself. */
  const longest = 10_000;
  /** How long all threads of a process may take to stop. */
  const patience = 1000;
  let stoppedAt: number | undefined;
  let watchdog: ReturnType<typeof setTimeout> | undefined;

  function say(line: string): void {
    try {
      writeSync(1, `${line}\n`);
    } catch {
      // The reader has gone; the end of our input says so, too.
      leave();
    }
  }

  /** Its number, and when it was started: another process under the same number was started later. */
  function identity(): string {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ");
      return fields?.[19] ?? "";
    } catch {
      // No such process.
      return "gone";
    }
  }

  const known = identity();

  /** The state of each of its threads: T where it is stopped. */
  function states(): string[] {
    return readdirSync(`/proc/${pid}/task`).map(
      (thread) => readFileSync(`/proc/${pid}/task/${thread}/stat`, "latin1").split(") ").at(-1)?.[0] ?? "",
    );
  }

  function stop(): void {
    if (identity() !== known) return say("it has ended");
    try {
      if (states().every((state) => state === "T" || state === "t"))
        return say("somebody else has stopped it in the meantime");
      process.kill(pid, "SIGSTOP");
    } catch (error) {
      return say((error as Error).message);
    }
    stoppedAt = performance.now();
    watchdog = setTimeout(resume, longest);
    untilStopped();
  }

  function untilStopped(): void {
    if (stoppedAt === undefined) return;
    let hasStopped: boolean;
    try {
      hasStopped = states().every(
        (state) => state === "T" || state === "t" || state === "Z" || state === "X",
      );
    } catch {
      // One of its threads, or the process, ended in between: look again, or see that it has gone.
      hasStopped = false;
    }
    if (hasStopped) return say("stopped");
    if (performance.now() - stoppedAt < patience) {
      setImmediate(untilStopped);
      return;
    }
    resume();
    say("SIGSTOP does nothing to it, as to the first process of a container");
  }

  /** Returns how long it was stopped; undefined where it was not, or has been let go on already. */
  function resume(): number | undefined {
    if (stoppedAt === undefined) return undefined;
    const ms = performance.now() - stoppedAt;
    stoppedAt = undefined;
    clearTimeout(watchdog);
    try {
      if (identity() === known) process.kill(pid, "SIGCONT");
    } catch {
      // It has ended in between.
    }
    return ms;
  }

  function leave(): void {
    resume();
    process.exit();
  }

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGPIPE"] as const)
    process.on(signal, leave);
  process.on("exit", resume);
  let input = "";
  process.stdin.on("data", (data) => {
    input += data.toString();
    for (let end = input.indexOf("\n"); end >= 0; end = input.indexOf("\n")) {
      const word = input.slice(0, end);
      input = input.slice(end + 1);
      if (word === "stop") stop();
      else {
        const ms = resume();
        say(
          ms === undefined
            ? `it was let go on before it was read: no stop lasts over ${longest} ms`
            : `resumed ${ms}`,
        );
      }
    }
  });
  process.stdin.on("close", leave);
  say("ready");
}
