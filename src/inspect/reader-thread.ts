import { parentPort, workerData } from "node:worker_threads";
import { plantCanary } from "./canary.ts";
import type { ReaderAnswer, ReaderData } from "./dump.ts";
import { InspectError } from "./errors.ts";
import { flatten } from "./flat-dump.ts";
import { readDump, readDumpStopped } from "./reading.ts";

/* The reader's thread: reads once, answers, and ends. */

async function answer(): Promise<ReaderAnswer> {
  const { pid, stop } = workerData as ReaderData;
  plantCanary();
  try {
    return { dump: flatten(stop && pid !== "self" ? await readDumpStopped(pid) : readDump(pid)) };
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    const { code, message, cause } = error;
    return { refusal: { code, message, cause } };
  }
}

void answer().then((message) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the port of a worker takes none
  parentPort?.postMessage(message);
});
