import { describe, expect, test } from "vitest";
import { offsetOf, placeIn } from "../../src/inspect/scripts.ts";
import type { ScriptInfo } from "../../src/inspect/scripts.ts";

const script = (source: string | undefined, more: Partial<ScriptInfo> = {}): ScriptInfo => ({
  url: "file:///app/x.js",
  sourceMapUrl: undefined,
  source,
  lineOffset: 0,
  columnOffset: 0,
  ...more,
});

/** Where an @ stands in a text. */
function placeOf(source: string, more: Partial<ScriptInfo> = {}): string {
  const place = placeIn(script(source, more), source.indexOf("@"));
  return place === undefined ? "nowhere" : `${place.line}:${place.column}`;
}

describe("a place in a script", () => {
  test.each([
    ["@", "1:1"],
    ["a\n@", "2:1"],
    ["a\r\n@", "2:1"],
    ["a\r@", "2:1"],
    ["a\r\r\n\n b@", "4:3"],
    ["a\u2028@", "2:1"],
    ["a\u2029b\u2028 @", "3:2"],
    ["\n\n\n@", "4:1"],
    // Neither is the end of a line in a script.
    ["a\v\f\u0085@", "1:5"],
    // Columns are counted in the units of UTF-16, as V8's stack traces do.
    ["\u{1f600}é@", "1:4"],
  ])("%j: at %s", (source, place) => {
    expect(placeOf(source)).toBe(place);
  });

  test("is shifted by what vm.Script was told: lines all, columns only on the first", () => {
    const more = { lineOffset: 10, columnOffset: 5 };
    expect(placeOf("ab@", more)).toBe("11:8");
    expect(placeOf("ab\nc@", more)).toBe("12:2");
    // `new Function` and compileFunction wrap a text: V8 then counts from before its beginning.
    expect(placeOf("a\nb@", { lineOffset: -1 })).toBe("1:2");
  });

  test("is not known without a source, nor beyond its end", () => {
    expect(placeIn(script(undefined), 3)).toBeUndefined();
    expect(placeIn(script("abc"), 4)).toBeUndefined();
    expect(placeIn(script("abc"), 3)).toEqual({ line: 1, column: 4 });
  });

  test("leads back to the offset that it came from", () => {
    const source = "a\r\nbc\u2028d\n\n e\r";
    for (const more of [{}, { lineOffset: 7, columnOffset: 9 }]) {
      const one = script(source, more);
      for (let offset = 0; offset <= source.length; offset++) {
        const place = placeIn(one, offset);
        expect(place && offsetOf(one, place)).toBe(offset);
      }
    }
  });

  test("of a line that is not there has no offset", () => {
    expect(offsetOf(script("a\nb"), { line: 3, column: 1 })).toBeUndefined();
    expect(offsetOf(script("a\nb", { lineOffset: 5 }), { line: 2, column: 1 })).toBeUndefined();
    expect(offsetOf(script(undefined), { line: 1, column: 1 })).toBeUndefined();
  });
});
