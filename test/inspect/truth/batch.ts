import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Truth, TruthNode } from "./nodes.ts";
import { takeMarks } from "./marks.ts";
import type { Marked } from "./marks.ts";
import { Program } from "./program.ts";
import type { Surroundings } from "./program.ts";
import { Random } from "./random.ts";

const RUNTIME = new URL("../fixtures/truth-runtime.cjs", import.meta.url);

/** Programs that run in one process. */
export interface Batch {
  readonly seed: number;
  readonly programs: number;
  /** The major version of the Node that is to run them. */
  readonly node: number;
}

/** Writes programs into a folder: most as a module, some as CommonJS, some for a worker thread. The entry is `main.cjs`. */
export function writeBatch({ seed, programs, node }: Batch, folder: string): Truth {
  mkdirSync(folder, { recursive: true });
  const random = new Random(seed);
  const nodes: TruthNode[] = [];
  const places = new Map<number, Marked>();
  const features = new Map<string, number>();
  let id = 0;
  let modules = 0;
  const runtime = JSON.stringify(RUNTIME.pathname);
  const write = (name: string, text: string): void =>
    writeFileSync(join(folder, name), takeMarks(text, places));
  const addModule = (body: (url: string) => string): string => {
    const name = `module-${modules++}.mjs`;
    const url = pathToFileURL(join(folder, name)).href;
    write(name, `import rt from ${runtime};\n${body(url)}`);
    return url;
  };
  const kinds = { esm: "programs.mjs", cjs: "programs.cjs", worker: "worker.cjs" } as const;
  const texts = { esm: "", cjs: "", worker: "" };
  for (let index = 0; index < programs; index++) {
    const kind = random.chance(0.5) ? "esm" : random.chance(0.75) ? "cjs" : "worker";
    const path = join(folder, kinds[kind]);
    const at: Surroundings = {
      random,
      node,
      kind,
      inWorker: kind === "worker",
      url: kind === "esm" ? pathToFileURL(path).href : path,
      nodes,
      places,
      count: (feature) => features.set(feature, (features.get(feature) ?? 0) + 1),
      nextId: () => ++id,
      addModule,
    };
    at.count(`program: ${kind}`);
    texts[kind] += Program.write(at);
  }
  write(kinds.esm, `import rt from ${runtime};\n${texts.esm}`);
  write(kinds.cjs, `const rt = require(${runtime});\n${texts.cjs}`);
  const after = (what: string): string => `setTimeout(() => setImmediate(() => { ${what} }), 50);`;
  const port = 'require("node:worker_threads").parentPort';
  write(
    kinds.worker,
    `const rt = require(${runtime});\n${texts.worker}\n${port}.on("message", rt.release);\n${after(`${port}.postMessage("ready");`)}\n`,
  );
  write(
    "main.cjs",
    `const rt = require(${runtime});
const { Worker } = require("node:worker_threads");
const worker = new Worker(${JSON.stringify(join(folder, kinds.worker))});
require("./programs.cjs");
let open = 2;
const ready = () => --open === 0 && require("node:fs").writeSync(1, "ready\\n");
worker.on("message", ready);
import("./programs.mjs").then(() => { ${after("ready()")} });
process.stdin.on("data", () => { rt.release(); worker.postMessage("release"); });
`,
  );
  return { nodes, places, features };
}
