/*
 * A place in a program's text is written into it as a mark, just before the place. When the text is done, the marks are
 * taken out, and it is known where they stood: the program itself, never the inspector, says on which line it waits.
 */

/** Noncharacters of Unicode: nothing else in a program has them. */
const [OPEN, CLOSE] = ["\ufdd0", "\ufdd1"];
const MARK = new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g");

/** A place by line and column, counted from 1. */
export interface Marked {
  readonly line: number;
  readonly column: number;
}

export const mark = (id: number): string => `${OPEN}${id}${CLOSE}`;

/**
 * Takes the marks out of a text, and keeps where each stood. `line` and `column` are what the text is shifted by: as
 * in the options of vm.Script, the column only on the first line.
 */
export function takeMarks(text: string, places: Map<number, Marked>, line = 0, column = 0): string {
  let plain = "";
  let last = 0;
  for (const match of text.matchAll(MARK)) {
    plain += text.slice(last, match.index);
    last = match.index + match[0].length;
    const lines = plain.split(/\r\n|[\n\r\u2028\u2029]/);
    places.set(Number(match[1]), {
      line: lines.length + line,
      column: (lines.at(-1) as string).length + 1 + (lines.length === 1 ? column : 0),
    });
  }
  return plain + text.slice(last);
}
