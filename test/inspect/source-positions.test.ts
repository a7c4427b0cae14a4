import { describe, expect, test } from "vitest";
import { decodePositions, positionAt } from "../../src/inspect/source-positions.ts";

/** A step in the bytecode, a step in the source, and whether a statement begins there. */
type Entry = readonly [code: number, position: number, isStatement: boolean];

/** Seven bits a byte, the least first; the highest says that more follow. */
function bytesOf(value: bigint): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7n) {
    const isLast = left < 128n;
    bytes.push(Number(left & 127n) | (isLast ? 0 : 128));
    if (isLast) return bytes;
  }
}

/** 0, −1, 1, −2, … as 0, 1, 2, 3, … */
const zigzag = (value: bigint): bigint => (value >= 0n ? value << 1n : (-value << 1n) - 1n);

/** What V8 keeps of a position: in the script, from 1, above one bit that says whether it is outside of one. */
const raw = (position: number): bigint => BigInt(position + 1) << 1n;

/** Writes a table as V8 does, of offsets and positions. */
function tableOf(
  entries: readonly Entry[],
  form: "signed" | "flagged",
  toRaw: (position: number) => bigint = raw,
): Uint8Array {
  const bytes: number[] = [];
  let lastCode = -1;
  let lastRaw = 0n;
  for (const [code, position, isStatement] of entries) {
    const step = BigInt(code - lastCode);
    if (form === "flagged") bytes.push(...bytesOf((step << 2n) | (isStatement ? 1n : 0n)));
    else bytes.push(...bytesOf(zigzag(isStatement ? step : -step - 1n)));
    bytes.push(...bytesOf(zigzag(toRaw(position) - lastRaw)));
    lastCode = code;
    lastRaw = toRaw(position);
  }
  return Uint8Array.from(bytes);
}

const entries: readonly Entry[] = [
  [0, 10, true],
  [5, 4, false],
  [6, 4_000_000, false],
  [6, 3, true],
  [300, 2 ** 28, true],
  [70_000, 0, false],
];

describe.each(["signed", "flagged"] as const)("a table of %s entries", (form) => {
  test("is read as it was written: steps of several bytes, back and forth", () => {
    const { bytecodeOffsets, positions } = decodePositions(tableOf(entries, form), form);
    expect(bytecodeOffsets).toEqual(entries.map(([code]) => code));
    expect(positions).toEqual(entries.map(([, position]) => position));
  });

  test("gives the last position at or before an offset", () => {
    const table = decodePositions(tableOf(entries, form), form);
    const at = (offset: number): number | undefined => positionAt(table, offset);
    expect([0, 4, 5, 6, 299, 300, 69_999, 70_000, 1e9].map(at)).toEqual([
      10,
      10,
      4,
      3,
      3,
      2 ** 28,
      2 ** 28,
      0,
      0,
    ]);
  });

  test("has nothing before its first entry", () => {
    const table = decodePositions(tableOf([[7, 1, true]], form), form);
    expect(positionAt(table, 6)).toBeUndefined();
    expect(positionAt(table, 7)).toBe(1);
    expect(positionAt(decodePositions(new Uint8Array(0), form), 0)).toBeUndefined();
  });

  test("holds the inlining of a function above a position, which is not the position", () => {
    const inlined = (position: number): bigint => raw(position) | (5n << 31n);
    const table = decodePositions(tableOf([[1, 77, true]], form, inlined), form);
    expect(table.positions).toEqual([77]);
  });

  test("that ends in the middle of a number is read to its end", () => {
    const table = tableOf(entries, form);
    for (let length = 0; length < table.length; length++)
      expect(() => decodePositions(table.subarray(0, length), form)).not.toThrow();
  });
});
