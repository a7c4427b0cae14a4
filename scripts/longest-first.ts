import { BaseSequencer, type TestSpecification } from "vitest/node";

const rank: Record<string, number> = { property: 0, inspector: 1, consumers: 2, scenario: 3 };

/**
 * Starts the long files first. A fresh clone has no timings, so vitest would go by size, and a long file started last
 * leaves one of two cores idle until it is done.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- the sequencer's own method, not an array's
    const sorted = await super.sort(files);
    const order = (file: TestSpecification): number => rank[file.project.name] ?? 4;
    return sorted.toSorted((a, b) => order(a) - order(b));
  }
}
