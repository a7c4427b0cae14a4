import { reportDead } from "../watch/journal/archive.ts";
import { toReport } from "../watch/journal/report.ts";
import { toText } from "../watch/journal/text.ts";
import { isTerminal, say } from "./words.ts";

/** Says what ran in those processes of this program that died without a word: of each once, at the next start. */
export function tellDead(name: string): void {
  for (const dead of reportDead(name)) say(isTerminal() ? toText(dead) : JSON.stringify(toReport(dead)));
}
