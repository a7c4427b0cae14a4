import { cpus } from "node:os";

/** What figures are from: the Node, and the machine. */
export function machine(): string {
  const [cpu] = cpus();
  return `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpu?.model ?? "?"}`;
}
