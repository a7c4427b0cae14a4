// Rules of this house that the linter does not bring along.

const timers = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
]);
const clocks = new Set(["Date", "performance"]);
const timeModules = new Set(["timers", "timers/promises", "perf_hooks"]);
const globals = new Set(["globalThis", "global"]);
const message = "Time comes from core/clock.ts: raw timers and clocks escape the test clock.";

const nameOf = (property, computed) => (computed ? property.value : property.name);

/** Is this identifier the global of that name, rather than something declared or imported in the file? */
const isGlobal = (context, node) => {
  for (let scope = context.sourceCode.getScope(node); scope; scope = scope.upper) {
    const variable = scope.set.get(node.name);
    if (variable && variable.defs.length > 0) return false;
  }
  return true;
};

const oneClock = {
  create(context) {
    const report = (node) => context.report({ node, message });
    const isTimeModule = (source) =>
      typeof source?.value === "string" && timeModules.has(source.value.replace(/^node:/, ""));
    const isClock = (node, name) =>
      (node.type === "Identifier" && node.name === name && isGlobal(context, node)) ||
      (node.type === "MemberExpression" &&
        node.object.type === "Identifier" &&
        globals.has(node.object.name) &&
        nameOf(node.property, node.computed) === name);
    return {
      Identifier(node) {
        if (!timers.has(node.name)) return;
        const { parent } = node;
        // The names of properties and of types are not timers: `options.setTimeout`, `typeof setTimeout`.
        if (parent.type === "MemberExpression" && parent.property === node && !parent.computed) return;
        if (parent.type === "Property" && parent.key === node) return;
        if (/^TS|MethodDefinition|PropertyDefinition|ImportSpecifier|ExportSpecifier/.test(parent.type))
          return;
        if (isGlobal(context, node)) report(node);
      },
      MemberExpression(node) {
        const name = nameOf(node.property, node.computed);
        if (timers.has(name) && node.object.type === "Identifier" && globals.has(node.object.name))
          report(node);
        if (name === "now" && [...clocks].some((clock) => isClock(node.object, clock))) report(node);
        if (name === "hrtime" && node.object.type === "Identifier" && node.object.name === "process")
          report(node);
      },
      VariableDeclarator(node) {
        if (
          node.id.type !== "ObjectPattern" ||
          node.init?.type !== "Identifier" ||
          !globals.has(node.init.name)
        )
          return;
        if (node.id.properties.some((property) => timers.has(property.key?.name))) report(node);
      },
      NewExpression(node) {
        if (node.arguments.length === 0 && isClock(node.callee, "Date")) report(node);
      },
      CallExpression(node) {
        if (isClock(node.callee, "Date")) report(node);
        if (
          node.callee.type === "Identifier" &&
          node.callee.name === "require" &&
          isTimeModule(node.arguments[0])
        ) {
          report(node);
        }
      },
      ImportDeclaration(node) {
        if (isTimeModule(node.source) && node.importKind !== "type") report(node);
      },
      ExportNamedDeclaration(node) {
        if (isTimeModule(node.source)) report(node);
      },
      ImportExpression(node) {
        if (isTimeModule(node.source)) report(node);
      },
    };
  },
};

const noUsing = {
  create(context) {
    return {
      VariableDeclaration(node) {
        if (node.kind === "using" || node.kind === "await using") {
          context.report({ node, message: "Node 22 does not parse `using`." });
        }
      },
    };
  },
};

const noExportStar = {
  create(context) {
    return {
      ExportAllDeclaration(node) {
        context.report({ node, message: "The public face is listed by name: no `export *`." });
      },
    };
  },
};

export default {
  meta: { name: "house" },
  rules: { "one-clock": oneClock, "no-using": noUsing, "no-export-star": noExportStar },
};
