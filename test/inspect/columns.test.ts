import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressIndex } from "../../src/inspect/address-index.ts";
import { Column } from "../../src/inspect/column.ts";
import { PAGE, PageCache } from "../../src/inspect/page-cache.ts";

/** Tagged addresses: many of them neighbours, some far away. */
const addresses = fc.oneof(
  fc.integer({ min: 1, max: 5000 }).map((word) => 0x7f12_3400_0000 + word * 8 + 1),
  fc.integer({ min: 1, max: 2 ** 43 }).map((word) => word * 8 + 1),
);

test("a column holds what was pushed, beyond its first length", () => {
  const column = Column.ofNumbers();
  for (let value = 0; value < 5000; value++) column.push(value * 3);
  column.set(4000, -7);
  column.set(9000, 1);
  expect(column.length).toBe(5000);
  expect([column.at(0), column.at(4999), column.at(4000)]).toEqual([0, 14_997, -7]);
  expect(column.at(5000)).toBeNaN();
  expect(column.toArray().length).toBe(5000);
});

test("an index finds each address in the row in which it was added, and no other", () => {
  fc.assert(
    fc.property(fc.uniqueArray(addresses, { maxLength: 6000 }), fc.array(addresses), (added, others) => {
      const index = new AddressIndex();
      const rows = new Map<number, number>();
      for (const address of added) rows.set(address, index.add(address));
      expect([...rows.values()]).toEqual([...added.keys()]);
      for (const address of [...added, ...others]) expect(index.find(address)).toBe(rows.get(address) ?? -1);
    }),
    { numRuns: 30 },
  );
});

describe("the pages of a process", () => {
  /** Memory in which each page holds its own number, but for those whose number is a multiple of 7: these are not there. */
  function pages(): { cache: PageCache; reads: number[] } {
    const reads: number[] = [];
    const cache = new PageCache((into, address) => {
      const page = address / PAGE;
      reads.push(page);
      if (page % 7 === 0) return false;
      into.fill(0);
      into.writeDoubleLE(page, 0);
      return true;
    });
    return { cache, reads };
  }
  const numberAt = ({ words }: PageCache, at: number): number =>
    Buffer.from(words.slice(at, at + 2).buffer).readDoubleLE(0);

  test("are what was read of them, however many there are", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 35 }), { maxLength: 300 }), (numbers) => {
        const { cache } = pages();
        for (const page of [...numbers, ...numbers]) {
          const at = cache.find(page);
          if (page % 7 === 0) expect(at).toBe(-1);
          else expect(numberAt(cache, at)).toBe(page);
        }
      }),
      { numRuns: 20 },
    );
    const { cache } = pages();
    for (let page = 1; page < 20_000; page++)
      if (page % 7 !== 0) expect(numberAt(cache, cache.find(page))).toBe(page);
  });

  test("are read once, until they are forgotten; those that are not there as well", () => {
    const { cache, reads } = pages();
    for (let turn = 0; turn < 3; turn++) for (const page of [1, 7, 2, 3]) cache.find(page);
    expect(reads).toEqual([1, 7, 2, 3]);
    cache.forget();
    cache.find(1);
    expect(reads).toEqual([1, 7, 2, 3, 1]);
  });

  test("that were read last stay when there is no room for more", () => {
    const { cache, reads } = pages();
    for (let page = 1; page <= 100_000; page++) cache.find(page);
    reads.length = 0;
    for (let page = 99_990; page <= 100_000; page++) cache.find(page);
    expect(reads).toEqual([]);
  });
});
