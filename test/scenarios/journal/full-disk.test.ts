import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "../process/child.ts";
import { commandOf } from "./programs.ts";

/** Whether a disk of our own may be mounted here: as root, in a namespace that goes with the process. */
const mayMount =
  spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]).status === 0;

test.runIf(mayMount)(
  "on a full disk the journal keeps what it has, warns once, and goes on when there is room",
  async () => {
    const place = mkdtempSync(join(tmpdir(), "holdfast-full-"));
    onTestFinished(() => rmSync(place, { recursive: true, force: true }));
    const command = commandOf("full-disk", [place])
      .map((part) => `'${part}'`)
      .join(" ");
    const script = `mount -t tmpfs -o size=64k tmpfs '${place}' && exec ${command}`;
    const child = new Child(["unshare", "-m", "sh", "-c", script]);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(JSON.parse(child.stdout)).toEqual({ warnings: 1, whileFull: [1], after: [1, 2], files: 1 });
  },
);
