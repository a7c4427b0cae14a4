import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const source = new URL("../../src/core/index.ts", import.meta.url).href;

/** A program in which croner cannot be found, as if nobody had installed it. */
const program = `
import { registerHooks } from "node:module";
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "croner") {
      throw Object.assign(new Error("Cannot find package 'croner'"), { code: "ERR_MODULE_NOT_FOUND" });
    }
    return next(specifier, context);
  },
});
const { openScope } = await import(${JSON.stringify(source)});
const app = openScope("app", { onError: (error) => console.log("onError: " + error.message) });
try {
  await app.cron("nightly", "0 3 * * *", () => {});
} catch (error) {
  console.log("caught: " + error.name + ": " + error.message);
}
console.log("open: " + (await app.spawn("other", () => app.state)));
await app.close();
console.log("closed");
`;

test("4.1 cron where croner is missing: a clear error, and everything else works", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
  });
  const lines = stdout.trim().split("\n");
  expect(lines[0]).toMatch(/^caught: .*croner/);
  expect(lines[0]).toContain("npm i");
  expect(lines.slice(1)).toEqual(["open: open", "closed"]);
});
