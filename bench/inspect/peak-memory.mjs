import { readFileSync } from "node:fs";

/** The most memory that this process has had at once, in bytes. */
export function peakMemory() {
  return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]) * 1024;
}
