import { callEvery } from "../core/clock.ts";
import { badOption } from "../core/duration.ts";
import type { FindingEvent, FindingWords } from "../core/info.ts";
import { ScopeView } from "../core/scope-view.ts";
import type { TaskNode } from "../core/task-node.ts";
import type { Scope } from "../core/types.ts";
import { Findings } from "./findings.ts";
import { KeptFindings } from "./kept-findings.ts";
import { toWatchSettings } from "./options.ts";
import type { WatchOptions } from "./options.ts";
import { openJournal } from "./journal/writer.ts";
import { Recorder } from "./recorder.ts";
import { Standstills } from "./standstills.ts";
import { Sweep } from "./sweep.ts";
import { Watchdog } from "./watchdog.ts";

/** A watch over a root scope. */
export interface Watch {
  /** What was found, the newest first; the newest 100 are kept. */
  findings(): readonly FindingEvent[];
  /**
   * Looks now, as it otherwise does by itself. Resolves when what it has found has been said: a finding may wait for the
   * lines at which its task stands.
   */
  sweep(): Promise<void>;
  /** Looks no more. A watch also stops when its scope is closed. */
  stop(): void;
}

/**
 * Watches the tasks of a root scope, and says what is wrong with them: `finding` events of the scope, each once, with a
 * sentence on what to do. `main()` starts one by itself. Its timer keeps no process alive.
 *
 * @throws RangeError for an option that cannot be, and for a scope that is no root; Error (`HF_ALREADY_WATCHED`) where
 * another watch looks after it.
 * @example
 * const app = openScope("worker");
 * const watching = watch(app, { adriftAfter: "5m" });
 * app.on("finding", ({ text }) => console.error(text));
 */
export function watch(scope: Scope, options: WatchOptions = {}): Watch {
  const settings = toWatchSettings(options);
  const node = ScopeView.nodeOf(scope);
  const { ledger } = node;
  if (node.parent !== undefined || node.owner !== undefined)
    throw badOption("scope", scope.path, "a root scope: what openScope() returns, or main() passes");
  if (ledger.watcher !== undefined) {
    throw Object.assign(new Error(`${scope.path} is watched already: a scope has one watch`), {
      code: "HF_ALREADY_WATCHED",
    });
  }
  const kept = new KeptFindings();
  const findings = new Findings(node, settings.linesEvery, async () =>
    (await import("../inspect/own-lines.ts")).readLines(),
  );
  const report = (task: TaskNode, words: FindingWords): void => findings.report(task, words);
  const recorder = settings.journal ? new Recorder(openJournal({ name: scope.name })) : undefined;
  const sweep = new Sweep(node, settings, report, recorder);
  ledger.watcher = {
    report,
    spawned: (task) => recorder?.spawned(task),
    ended: (task) => recorder?.ended(task),
    stop,
  };
  const stops = [
    scope.on("finding", (event) => kept.keep(event)),
    callEvery(settings.sweep, () => {
      guardLoop();
      sweep.run();
    }),
  ];
  if (recorder !== undefined) {
    // A program that ends without closing its scope, and has nothing left to do, has not died of anything.
    const onExit = (): void => {
      if (scope.stats().live === 0) recorder.close();
    };
    process.once("exit", onExit);
    stops.push(() => process.off("exit", onExit));
  }
  let watchdog: Watchdog | undefined;
  /** At the first sweep: a program that is done sooner needs no thread for it. */
  function guardLoop(): void {
    if (watchdog !== undefined || settings.blockAfter === undefined) return;
    const standstills = new Standstills(node);
    watchdog = new Watchdog(scope.path, settings.blockAfter, (one) => standstills.report(one));
    stops.push(() => watchdog?.stop());
  }
  function stop(): void {
    ledger.watcher = undefined;
    findings.flush();
    recorder?.close();
    for (const end of stops.splice(0)) end();
  }
  return {
    findings: () => kept.list,
    sweep: () => {
      sweep.run();
      return findings.untilSaid();
    },
    stop,
  };
}
