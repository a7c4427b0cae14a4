import { expect, test } from "vitest";

import { cleanly, compile, start } from "./consume.ts";

test.each([
  ["nodenext", "an ES module under nodenext, lib ES2022, with every declaration of ours checked"],
  ["cjs-typescript", "CommonJS under nodenext"],
  ["cjs-node10", "CommonJS under the resolution of old, that knows no `exports`"],
])("TypeScript, %s: %s compiles, and runs", async (consumer) => {
  expect(await compile(consumer)).toEqual(cleanly(""));
  expect(await start(process.execPath, ["out/app.js"], consumer)).toEqual(
    cleanly("42 AHOY closed function function true\n"),
  );
});

test.each([
  ["bundler", "the resolution of bundlers"],
  ["without-node-types", "no @types/node, the browser's AbortSignal instead"],
  [
    "esnext",
    "lib ESNext beside @types/node, both of which declare what ours declares for those who have neither",
  ],
  ["fastify", "the Fastify adapter beside Fastify's own types"],
])("TypeScript, %s: %s compiles", async (consumer) => {
  expect(await compile(consumer)).toEqual(cleanly(""));
});
