import { statSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { openJournal } from "../../../src/watch/journal/writer.ts";
import { folder, onlyFile } from "./place.ts";

test("1,000 tasks that live over a sweep and end cost less than 40 KB; a thousand that report progress, 40 KB", () => {
  const place = folder();
  const journal = openJournal({ name: "courier", folder: place, maxBytes: 16 << 20 });
  onTestFinished(() => journal.close(true));
  const file = onlyFile(place);
  let before = statSync(file).size;
  const grown = (): number => {
    journal.flush();
    const { size } = statSync(file);
    const more = size - before;
    before = size;
    return more;
  };
  const at = Date.now();
  const ids = Array.from({ length: 1000 }, (_, n) => 1_000_000 + 7 * n);
  for (const id of ids)
    journal.began({
      id,
      path: `courier/background/fan-out/recipient/${["deliver", "render", "sign"][id % 3]}`,
      createdAt: at - 1500 + (id % 900),
      startedAt: at - 1400 + (id % 900),
      attempt: 1,
    });
  const begun = grown();
  for (const id of ids) journal.changed(id, { progress: { done: id % 1000, total: 1000, at: at - 10 } });
  const progress = grown();
  for (const id of ids) journal.ended(id, "succeeded");
  const ended = grown();
  for (const id of ids)
    journal.began({ id, path: `courier/requests/${id}/render`, createdAt: at, attempt: 0 });
  const paths = grown();
  const idle = grown();
  console.log(
    `1,000 tasks: begun ${begun} bytes, progress ${progress}, ended ${ended}; ` +
      `begun with paths of their own ${paths}; a sweep without news ${idle}`,
  );
  expect(begun + ended).toBeLessThan(40_000);
  expect(progress).toBeLessThan(40_000);
});
