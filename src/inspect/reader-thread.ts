import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { plantCanary } from "./canary.ts";
import type { ReaderAnswer, ReaderData } from "./dump.ts";
import { InspectError } from "./errors.ts";
import { buffersOf } from "./flat-dump.ts";
import { readFlat, readFlatStopped, readTaskLines, warmUp } from "./reading.ts";

/* The reader's thread: reads once, answers, and ends. */

async function answer(): Promise<ReaderAnswer> {
  const { pid, stop, want } = workerData as ReaderData;
  plantCanary();
  if (want === "tasks") await untilGo(pid);
  try {
    if (want === "tasks") return { tasks: readTaskLines(pid) };
    return { dump: stop && pid !== "self" ? await readFlatStopped(pid) : readFlat(pid) };
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    const { code, message, cause } = error;
    return { refusal: { code, message, cause } };
  }
}

async function untilGo(pid: number | "self"): Promise<void> {
  const port = parentPort as MessagePort;
  if (receiveMessageOnPort(port) !== undefined) return;
  const go = new Promise((resolve) => {
    port.once("message", resolve);
  });
  try {
    warmUp(pid);
  } catch (error) {
    // That will be said when it is asked for.
    if (!(error instanceof InspectError)) throw error;
  }
  await go;
}

void answer().then((message) => {
  parentPort?.postMessage(message, "dump" in message ? buffersOf(message.dump.graph) : []);
});
