import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { journalFolders } from "../../../src/watch/journal/folder.ts";
import { folder } from "./place.ts";

beforeEach(() => {
  vi.stubEnv("TMPDIR", "/tmp");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

test.runIf(process.platform === "linux")("journals are where the user's state is", () => {
  vi.stubEnv("XDG_STATE_HOME", "/state");
  expect(journalFolders()[0]).toBe("/state/holdfast/journals");
});

test.runIf(process.platform === "linux").each(["", "relative"])(
  "and with XDG_STATE_HOME=%j in the home",
  (state) => {
    vi.stubEnv("XDG_STATE_HOME", state);
    vi.stubEnv("HOME", "/home/ada");
    expect(journalFolders()[0]).toBe("/home/ada/.local/state/holdfast/journals");
  },
);

test.runIf(process.platform === "linux")(
  "a user without a home that can be written has them in the folder for temporary files",
  () => {
    const place = folder();
    const script = `
    import { openJournal } from ${JSON.stringify(new URL("../../../src/watch/journal/writer.ts", import.meta.url).href)};
    openJournal({ name: "courier" }).flush();
  `;
    const strip = process.version.startsWith("v22.") ? ["--experimental-strip-types", "--no-warnings"] : [];
    execFileSync(process.execPath, [...strip, "--input-type=module", "--eval", script], {
      env: { ...process.env, XDG_STATE_HOME: "/proc/none", TMPDIR: place },
      stdio: ["ignore", "inherit", "inherit"],
      timeout: 9000,
    });
    const spare = join(place, `holdfast-${process.geteuid?.()}`);
    expect(readdirSync(spare)).toEqual([expect.stringMatching(/^courier\.\d+\.\w+\.journal$/)]);
  },
);
