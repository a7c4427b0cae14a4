import { randomBytes } from "node:crypto";
import { hostname } from "node:os";

/** Names a worker in leases and records: the machine, the process, and what tells it from another opening there. */
export function workerName(): string {
  return `${hostname()}:${process.pid}:${randomBytes(3).toString("hex")}`;
}
