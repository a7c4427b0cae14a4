import { callEvery } from "../core/clock.ts";
import { SILENCE } from "../watch/journal/identity.ts";
import { reportDead } from "../watch/journal/archive.ts";
import type { DeadProcess } from "../watch/journal/reader.ts";
import { toReport } from "../watch/journal/report.ts";
import { toText } from "../watch/journal/text.ts";
import { isTerminal, say } from "./words.ts";

/** Says what ran in those processes of this program that are gone: of each once, at the next start. */
export function tellDead(name: string, isWanted: (dead: DeadProcess) => boolean = () => true): void {
  for (const dead of reportDead(name).filter(isWanted))
    say(isTerminal() ? toText(dead) : JSON.stringify(toReport(dead)));
}

/**
 * Says it, and once more when those of other containers have been silent for long enough to be known for dead. Returns
 * the function that calls that off.
 */
export function keepTellingDead(name: string): () => void {
  tellDead(name);
  const stop = callEvery(SILENCE + 1000, () => {
    stop();
    tellDead(name);
  });
  return stop;
}
