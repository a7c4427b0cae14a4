import fc from "fast-check";
import { expect, test } from "vitest";
import { nextIn } from "../../src/inspect/suspended.ts";

/** Where V8 may put an object: at hints that are random in 46 bits, so of many a chunk lies below 4 GB. */
const address = fc
  .oneof(fc.bigInt({ min: 1n << 13n, max: 1n << 29n }), fc.bigInt({ min: 1n << 13n, max: (1n << 43n) - 1n }))
  .map((word) => word * 8n + 1n);
const smi = (max: number): fc.Arbitrary<bigint> =>
  fc.integer({ min: 0, max }).map((value) => BigInt(value) << 32n);

/** The words of a suspended function, as `js-generator.tq` has them. */
const suspended = fc.tuple(
  address, // its map
  fc.oneof(address, smi(2 ** 20)), // its properties, or its hash
  address, // its elements
  address, // the function
  address, // its context
  fc.oneof(address, smi(2 ** 31 - 1)), // `this`
  smi(2 ** 20), // where it stands in its bytecode
  smi(2), // how it is to go on
  smi(1_000_000), // at which `await`
  address, // its registers
  address, // its promise, or its requests
  address, // what comes after it
);

test("a suspended function is found wherever V8 has put it, and what it refers to", () => {
  fc.assert(
    fc.property(suspended, fc.nat(200), (words, before) => {
      const memory = new Uint32Array((before + words.length) * 2).fill(3);
      for (const [at, word] of words.entries()) {
        memory[(before + at) * 2] = Number(word & 0xffff_ffffn);
        memory[(before + at) * 2 + 1] = Number(word >> 32n);
      }
      expect(nextIn(memory, 0, before * 2)).toBe(before * 2);
    }),
    { numRuns: 2000 },
  );
});
