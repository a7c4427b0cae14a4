import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cruise, type ICruiseResult, type IForbiddenRuleType } from "dependency-cruiser";

/**
 * The arrows of the house: which rooms a room may import, and which only when they are used (`await import(…)`, or
 * types alone, which leave no import behind). What is not listed is forbidden, for rooms that are still to come too.
 */
const rooms: Record<string, { imports?: string[]; whenUsed?: string[] }> = {
  "src/core": {},
  "src/inspect": {},
  "src/process": { imports: ["src/core", "src/watch"], whenUsed: ["src/inspect", "src/agent"] },
  "src/watch": { imports: ["src/core"], whenUsed: ["src/inspect"] },
  "src/jobs": { imports: ["src/core"], whenUsed: ["src/inspect"] },
  "src/threads": { imports: ["src/core"] },
  "src/adapters": { imports: ["src/core"] },
  "src/telemetry": { imports: ["src/core"] },
  "src/testing": { imports: ["src/core"] },
  "src/agent": { imports: ["src/core", "src/watch", "src/jobs", "src/inspect"] },
  "src/cli": { imports: ["src/agent", "src/watch", "src/inspect", "src/jobs"] },
  console: { imports: ["src/agent", "src/inspect", "src/jobs"] },
};

/** All that core may take from outside: two modules of Node, and the optional peer for cron, when it is used. */
const coreTakes = ["async_hooks", "diagnostics_channel"];
const coreTakesWhenUsed = ["croner"];

const inside = (folders: readonly string[]): string => `^(${folders.join("|")})/`;
const ours = inside(["src", "console", "examples", "bench", "test", "scripts", "dist"]);

const roomRules = Object.entries(rooms).flatMap(
  ([room, { imports = [], whenUsed = [] }]): IForbiddenRuleType[] => [
    {
      name: `${room} imports only ${[room, ...imports, ...whenUsed].join(", ")}`,
      severity: "error",
      from: { path: inside([room]) },
      to: { path: ours, pathNot: inside([room, ...imports, ...whenUsed]) },
    },
    ...(whenUsed.length === 0
      ? []
      : [
          {
            name: `${room} loads ${whenUsed.join(", ")} only when it is used`,
            severity: "error" as const,
            from: { path: inside([room]) },
            to: { path: inside(whenUsed), dynamic: false, dependencyTypesNot: ["type-only" as const] },
          },
        ]),
  ],
);

const forbidden: IForbiddenRuleType[] = [
  ...roomRules,
  {
    name: "entries at the root of src load only core, process and watch, the rest when it is used",
    severity: "error",
    from: { path: "^src/[^/]+$" },
    to: {
      path: ours,
      pathNot: ["^src/[^/]+$", inside(["src/core", "src/process", "src/watch"])],
      dynamic: false,
      dependencyTypesNot: ["type-only"],
    },
  },
  {
    name: "every room of src is listed in scripts/directions.ts",
    severity: "error",
    from: { path: "^src/[^/]+/", pathNot: inside(Object.keys(rooms)) },
    to: {},
  },
  {
    name: "core is pure: nothing from outside but async_hooks, diagnostics_channel, and croner when it is used",
    severity: "error",
    from: { path: "^src/core/" },
    to: {
      pathNot: [
        "^src/",
        ...coreTakes.map((name) => `^(node:)?${name}$`),
        ...coreTakesWhenUsed.map((name) => `(^|/)${name}(/|$)`),
      ],
    },
  },
  {
    name: "core loads croner only when it is used",
    severity: "error",
    from: { path: "^src/core/" },
    to: {
      path: coreTakesWhenUsed.map((name) => `(^|/)${name}(/|$)`),
      dynamic: false,
      dependencyTypesNot: ["type-only"],
    },
  },
  {
    name: "nothing shipped imports what is not shipped",
    severity: "error",
    from: { path: "^src/" },
    to: { path: inside(["test", "examples", "bench", "scripts", "dist"]) },
  },
  {
    // Types may refer to each other both ways: nothing of such an import is left at run time.
    name: "no cycles",
    severity: "error",
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
  },
  {
    name: "every import leads somewhere",
    severity: "error",
    from: { path: "^src/" },
    to: { couldNotResolve: true, pathNot: coreTakesWhenUsed.map((name) => `^${name}$`) },
  },
];

/** What was found: how many of our modules were looked at, and a sentence for each arrow that is not allowed. */
export interface Findings {
  modules: number;
  violations: string[];
}

/** Examples see what a user sees: `holdfast` and its subpaths, never a file of ours. */
const peeksInside = (from: string, specifier: string, to: string): boolean =>
  from.startsWith("examples/") &&
  !/^holdfast(\/|$)/.test(specifier) &&
  new RegExp(ours).test(to) &&
  !to.startsWith("examples/");

/** Looks at every import of the tree at `root`. */
export async function look(root: string): Promise<Findings> {
  const folders = ["src", "console", "examples"].filter((folder) => existsSync(join(root, folder)));
  if (folders.length === 0) return { modules: 0, violations: [] };
  const { output } = await cruise(
    folders,
    {
      baseDir: root,
      validate: true,
      ruleSet: { forbidden },
      tsPreCompilationDeps: true,
      doNotFollow: { path: ["node_modules", "^dist/"] },
      outputType: "json",
    },
    {
      extensions: [".ts", ".tsx", ".mts", ".cts", ".js", ".mjs"],
      exportsFields: ["exports"],
      conditionNames: ["types", "import", "default"],
    },
  );
  const result = JSON.parse(output as string) as ICruiseResult;
  const seen = result.modules.filter((module) =>
    folders.some((folder) => module.source.startsWith(`${folder}/`)),
  );
  return {
    modules: seen.length,
    violations: [
      ...result.summary.violations.map(({ from, to, rule }) => `${from} → ${to}: ${rule.name}`),
      ...seen.flatMap((module) =>
        module.dependencies
          .filter((dependency) => peeksInside(module.source, dependency.module, dependency.resolved))
          .map(
            (dependency) =>
              `${module.source} → ${dependency.module}: examples import only the package's entry points`,
          ),
      ),
    ],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, violations } = await look(process.argv[2] ?? process.cwd());
  for (const violation of violations) console.error(violation);
  console.log(`directions: ${modules} modules seen, ${violations.length} forbidden arrows`);
  if (modules === 0) console.error("directions: a check that saw nothing proves nothing");
  process.exitCode = modules === 0 || violations.length > 0 ? 1 : 0;
}
