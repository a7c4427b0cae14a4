/** Where in a script's source the bytecode of a function stands: two columns of equal length, by bytecode offset. */
export interface SourcePositions {
  readonly bytecodeOffsets: readonly number[];
  /** In UTF-16 code units from the beginning of the script. */
  readonly positions: readonly number[];
}

/**
 * Decodes a source position table (V8, src/codegen/source-position-table.cc): variable-length numbers, seven bits a
 * byte, least first. An entry is a step in the bytecode and a step in the source. "signed": both are zigzag coded, and
 * a negative first one says that no statement begins there. "flagged" (V8 14): the first is unsigned and carries two
 * flags in its low bits. A position holds the script offset, from 1, in the bits from 1 to 30.
 */
export function decodePositions(table: Uint8Array, entries: "signed" | "flagged"): SourcePositions {
  const bytecodeOffsets: number[] = [];
  const positions: number[] = [];
  let at = 0;
  const unsigned = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = table[at++];
      if (byte === undefined) return value;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const signed = (): bigint => {
    const value = unsigned();
    return (value >> 1n) ^ -(value & 1n);
  };
  let offset = -1n;
  let position = 0n;
  while (at < table.length) {
    if (entries === "flagged") offset += unsigned() >> 2n;
    else {
      const step = signed();
      offset += step >= 0n ? step : -(step + 1n);
    }
    position += signed();
    bytecodeOffsets.push(Number(offset));
    positions.push(Number((position >> 1n) & 0x3fff_ffffn) - 1);
  }
  return { bytecodeOffsets, positions };
}

/** The source position of the instruction at a bytecode offset; undefined before the first entry. */
export function positionAt(
  { bytecodeOffsets, positions }: SourcePositions,
  offset: number,
): number | undefined {
  let low = 0;
  let high = bytecodeOffsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bytecodeOffsets[middle] as number) <= offset) low = middle + 1;
    else high = middle;
  }
  return positions[low - 1];
}
