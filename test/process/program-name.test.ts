import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { programName } from "../../src/process/program-name.ts";

const root = mkdtempSync(join(tmpdir(), "holdfast-name-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  return file;
}

test("a program goes by what it is told, else by its package, else by its file", () => {
  write("app/package.json", '{ "name": "@acme/shop" }');
  const inApp = write("app/src/deep/server.js", "");
  expect(programName({}, inApp)).toBe("@acme/shop");
  expect(programName({ HOLDFAST_NAME: "till" }, inApp)).toBe("till");
  expect(programName({ HOLDFAST_NAME: "" }, inApp)).toBe("@acme/shop");
  expect(programName({}, join(root, "app/src/gone.js"))).toBe("@acme/shop");
  expect(programName({}, write("alone/server.mjs", ""))).toBe("server");
});

test("a package.json without a name, or that is none, is passed over", () => {
  write("outer/package.json", '{ "name": "outer" }');
  write("outer/inner/package.json", '{ "type": "commonjs" }');
  write("outer/inner/broken/package.json", "{");
  expect(programName({}, write("outer/inner/broken/server.js", ""))).toBe("outer");
});

test("a tool from node_modules goes by the package in whose folder it was started, as does no file", () => {
  const next = write("app/node_modules/next/dist/bin/next.js", "");
  write("app/node_modules/next/package.json", '{ "name": "next" }');
  mkdirSync(join(root, "app/node_modules/.bin"), { recursive: true });
  symlinkSync(next, join(root, "app/node_modules/.bin/next"));
  // The working directory of the tests is that of holdfast.
  expect(programName({}, join(root, "app/node_modules/.bin/next"))).toBe("holdfast");
  expect(programName({}, undefined)).toBe("holdfast");
});
