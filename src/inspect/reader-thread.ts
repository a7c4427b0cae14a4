import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { TaskLines } from "./await-line.ts";
import { plantCanary } from "./canary.ts";
import type { ReaderAnswer, ReaderData } from "./dump.ts";
import { InspectError } from "./errors.ts";
import { buffersOf } from "./flat-dump.ts";
import { readFlat, readFlatStopped, readTaskLines, warmUp } from "./reading.ts";
import { haveMaps } from "./task-lines.ts";

/* The reader's thread: reads once, answers, for lines of tasks maybe twice, and ends. */

async function answer(): Promise<ReaderAnswer> {
  const { pid, stop, want } = workerData as ReaderData;
  plantCanary();
  if (want === "tasks") await untilGo(pid);
  try {
    if (want === "tasks") return await tellTasks(readTaskLines(pid), pid === "self" ? process.pid : pid);
    return { dump: stop && pid !== "self" ? await readFlatStopped(pid) : readFlat(pid) };
  } catch (error) {
    if (!(error instanceof InspectError)) throw error;
    const { code, message, cause } = error;
    return { refusal: { code, message, cause } };
  }
}

/** Lines of the files that run are there at once; a map may be too much for the time that is left. */
async function tellTasks(tasks: readonly TaskLines[], pid: number): Promise<ReaderAnswer> {
  if (!haveMaps(tasks)) return { tasks, isLast: true };
  tell({ tasks, isLast: false });
  // Loaded here: where time is short, what comes before has all of it.
  const { throughMaps } = await import("./mapped-lines.ts");
  return { tasks: throughMaps(tasks, pid), isLast: true };
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

function tell(message: ReaderAnswer): void {
  parentPort?.postMessage(message, "dump" in message ? buffersOf(message.dump.graph) : []);
}

void answer().then(tell);
