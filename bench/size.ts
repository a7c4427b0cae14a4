import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "esbuild";

import { installPeers, peerVersions } from "./installed.ts";
import { figure, printTable } from "./table.ts";

/*
 * How large the core is when a program bundles it, beside its peers, and what of it is large: each part left out by
 * itself, and one after the other. What is left out is replaced by names without anything behind them, so the rest
 * would not run: it is a lower bound of what a core without that part would be.
 */

const core = fileURLToPath(new URL("../dist/core/", import.meta.url));
const peersFolder = fileURLToPath(new URL("peers/", import.meta.url));

/** In the order in which they are left out: what an owner of tasks needs least comes first. */
const parts: Readonly<Record<string, string>> = {
  "services, restarts, readiness": "service restart readiness",
  "schedules, map": "schedule ticks map cancellable",
  "limits by key": "limits",
  "deadlock search": "deadlock",
  "what is told: infos, tree, stats, records, events":
    "describe ledger events marker close-report given walk",
  "delivery of failures": "delivery reporter",
  groups: "group group-scope",
  "timeouts, shields, signals of others": "expire blocks hidden signals stop-signal",
  "the functions without a scope": "ambient",
  "durations, options": "duration settings",
  "shapes kept for the compiler": "exemplars",
  "grace, abandonment, drain, clean-up": "grace abandon drain cleanup",
  errors: "errors refusal",
  "clock, async context": "clock context",
  "spawning, admission": "spawn admission room fifo",
  "scopes: closing": "open close scope-node scope-view scope roots busy",
  "attempts and their ends, waits, cancel":
    "attempt finish settle verdict rest cancel wait task-node task-view task-handle work",
};
/** Named by the entry: nothing is left without them. */
const UNTIL = "errors";

const peers: Readonly<Record<string, string>> = {
  "Effect, a program that does nothing": `import { Effect } from "effect"; Effect.runPromise(Effect.succeed(1));`,
  "Effect: fork, join, retry, timeout, schedules, scopes": `import { Effect, Fiber, Schedule } from "effect";
    console.log(Effect.forkChild, Fiber.join, Effect.retry, Effect.timeout, Schedule.exponential, Effect.scoped, Effect.runPromise);`,
  Effection: `import { run, spawn, sleep, resource } from "effection"; console.log(run, spawn, sleep, resource);`,
  "p-queue": `import PQueue from "p-queue"; console.log(PQueue);`,
  "p-limit": `import pLimit from "p-limit"; console.log(pLimit);`,
};

interface Size {
  readonly minified: number;
  readonly gzipped: number;
}

async function bundle(input: object): Promise<Size> {
  const { outputFiles } = await build({
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    external: ["croner"],
    legalComments: "none",
    write: false,
    ...input,
  });
  const { contents } = outputFiles[0] as { contents: Uint8Array };
  return { minified: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
}

function coreWithout(files: readonly string[]): Promise<Size> {
  const emptied: Plugin = {
    name: "leave out",
    setup({ onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) =>
        files.includes(basename(path, ".js"))
          ? { contents: namesOnly(readFileSync(path, "utf8")) }
          : undefined,
      );
    },
  };
  return bundle({ entryPoints: [`${core}index.js`], plugins: [emptied] });
}

function namesOnly(source: string): string {
  const names = source.matchAll(/^export (?:async )?(?:function\*?|const|let|class) (\w+)/gm);
  return [...names].map(([, name]) => `export let ${name} = 0;`).join("\n");
}

const known = Object.values(parts).flatMap((files) => files.split(" "));
const files = readdirSync(core).flatMap((name) => (name.endsWith(".js") ? [basename(name, ".js")] : []));
const whole = await coreWithout([]);
for (const file of files)
  if (file !== "index" && !known.includes(file) && (await coreWithout([file])).minified !== whole.minified)
    throw new Error(`src/core/${file}.ts is in none of the parts of bench/size.ts`);

const kB = (bytes: number): string => figure(bytes / 1000);
const row = (what: string, { minified, gzipped }: Size): string[] => [what, kB(minified), kB(gzipped)];

const packages = ["effect", "effection", "p-queue", "p-limit"];
installPeers(packages);
const versions = Object.entries(peerVersions(packages)).map(([name, version]) => `${name} ${version}`);
const columns = ["kB, when bundled", "minified", "gzipped"];
const beside = [row("holdfast: the whole core", whole)];
for (const [what, contents] of Object.entries(peers))
  beside.push(row(what, await bundle({ stdin: { contents, resolveDir: peersFolder } })));
printTable(`Beside ${versions.join(", ")}`, columns, beside);

const alone: string[][] = [];
const left: string[][] = [];
const gone: string[] = [];
for (const [what, names] of Object.entries(parts)) {
  if (what === UNTIL) break;
  const without = await coreWithout(names.split(" "));
  gone.push(...names.split(" "));
  alone.push([what, kB(whole.minified - without.minified), kB(whole.gzipped - without.gzipped)]);
  left.push(row(`and without ${what}`, await coreWithout(gone)));
}
printTable("Each part, left out by itself", ["what that gains, kB", "minified", "gzipped"], alone);
printTable("What is left as one part goes after the other", columns, [row("all", whole), ...left]);
