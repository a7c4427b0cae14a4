import { afterEach, expect, test, vi } from "vitest";
import { announceCopy, registry } from "../../src/process/copies.ts";

afterEach(() => {
  registry().copies.length = 0;
  vi.restoreAllMocks();
});

test("two copies of holdfast in one process find each other and warn once", async () => {
  const warnings = vi.spyOn(process, "emitWarning").mockReturnValue();
  // Loaded anew, as another copy would be: it shares nothing but the global symbol.
  vi.resetModules();
  const other = await import("../../src/process/copies.ts");
  expect(other.announceCopy).not.toBe(announceCopy);
  announceCopy("file:///app/node_modules/holdfast/dist/index.js");
  announceCopy("file:///app/node_modules/holdfast/dist/index.js");
  expect(warnings).not.toHaveBeenCalled();
  other.announceCopy("file:///app/node_modules/library/node_modules/holdfast/dist/index.js");
  expect(warnings).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/two copies of holdfast are loaded: .*app\/node_modules\/holdfast.* and .*library/),
    expect.objectContaining({ code: "HF_TWO_COPIES" }),
  );
  other.announceCopy("file:///app/node_modules/third/node_modules/holdfast/dist/index.js");
  expect(warnings).toHaveBeenCalledOnce();
  expect(registry().copies).toHaveLength(3);
});

test("the registry is no enumerable global", () => {
  registry();
  expect(Object.getOwnPropertyDescriptor(globalThis, Symbol.for("holdfast"))).toMatchObject({
    enumerable: false,
  });
});
