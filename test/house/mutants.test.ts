import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.ts";

const home = new URL("../../", import.meta.url);

// They run seldom: what they break must not have moved on meanwhile.
test.each(MUTANTS.map(({ name, ...mutant }) => [name, mutant] as const))(
  "what a mutant breaks stands in the sources, once: %s",
  async (_name, { file, find }) => {
    const source = await readFile(new URL(file, home), "utf8");
    expect(source.split(find)).toHaveLength(2);
  },
);
