import { copyFileSync, mkdtempSync, openSync, rmSync, writeSync, closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ElfFile } from "../../src/inspect/elf.ts";
import { layoutOf } from "../../src/inspect/layout.ts";
import { nodes } from "./programs.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-layout-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The own executable, with a changed number in its header. */
function patched(offset: number, value: number): string {
  const path = join(folder, `node-${offset}-${value}`);
  copyFileSync(process.execPath, path);
  const fd = openSync(path, "r+");
  writeSync(fd, Uint8Array.of(value & 255, value >> 8), 0, 2, offset);
  closeSync(fd);
  return path;
}

/** Offset of the architecture in the header of an ELF file. */
const MACHINE = 18;
const ARM64 = 183;
const RISCV = 243;

describe.skipIf(process.platform !== "linux")("a layout", () => {
  test.each(nodes())("is known for %s, and all that it needs is exported", (_, node) => {
    const elf = new ElfFile(node);
    try {
      const part = (name: string): number | undefined => elf.constant(`_ZN2v88internal7Version${name}`);
      const layout = layoutOf(elf, `${part("6major_E")}.${part("6minor_E")}.1.2`);
      expect(layout.types.promise).toBeGreaterThan(0);
      expect(Object.values(layout.fields).filter((offset) => !(offset >= 7 && offset < 256))).toEqual([]);
    } finally {
      elf.close();
    }
  });

  test.each(["10.2.154", "12.9.1", "14.7.0", "99.0.0", "undefined"])("of V8 %s is not guessed", (v8) => {
    const elf = new ElfFile(process.execPath);
    try {
      expect(() => layoutOf(elf, v8)).toThrow(
        expect.objectContaining({
          code: "HF_UNKNOWN_V8",
          message: expect.stringContaining(`V8 ${v8} is not known: this version of holdfast reads V8 11.3, `),
        }),
      );
    } finally {
      elf.close();
    }
  });

  test("of an executable that does not export what is needed is refused by the name of it", () => {
    const elf = { constant: () => undefined } as unknown as ElfFile;
    expect(() => layoutOf(elf, "13.6.1")).toThrow(
      expect.objectContaining({
        code: "HF_UNKNOWN_V8",
        message: "the executable does not say where V8 keeps type_JSFunction__JS_FUNCTION_TYPE",
      }),
    );
  });

  test.each([
    [ARM64, "arm64"],
    [RISCV, "machine 243"],
  ])("knows of architecture %d that it is %s", (machine, name) => {
    const elf = new ElfFile(patched(MACHINE, machine));
    elf.close();
    expect(elf.machine).toBe(name);
  });
});
