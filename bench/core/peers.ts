import type { Contender } from "./contender.ts";

const folder = new URL("../peers/", import.meta.url);

/** The libraries that stand beside holdfast: packages of `bench/peers`. */
export const packages = ["p-limit", "p-queue", "effect", "effection"] as const;

/** Loads all of them; plain JavaScript, so that the repository is type-checked without them. */
export async function loadPeers(): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const name of ["bare", ...packages]) {
    const module = (await import(new URL(`${name}.mjs`, folder).href)) as { contenders: Contender[] };
    contenders.push(...module.contenders);
  }
  return contenders;
}
