import { badOption } from "./duration.ts";
import type { TaskNode } from "./task-node.ts";

/** The tasks that hang on one signal from outside, and the one listener they share. */
interface Hub {
  readonly tasks: Set<TaskNode>;
  readonly listener: () => void;
}

const hubs = new WeakMap<AbortSignal, Hub>();

/** A signal, or `RangeError`. */
export function toSignal(signal: AbortSignal): void {
  // By what is asked of it: it may be of another realm. JavaScript may give null.
  const given: Partial<AbortSignal> | null = signal;
  if (typeof given?.addEventListener !== "function") throw badOption("signal", signal, "an AbortSignal");
}

/** Calls `onAbort` for the task when the signal aborts. However many tasks hang on a signal, it has one listener. */
export function attach(
  signal: AbortSignal,
  node: TaskNode,
  onAbort: (node: TaskNode, reason: unknown) => void,
): void {
  let hub = hubs.get(signal);
  if (hub === undefined) {
    const tasks = new Set<TaskNode>();
    const listener = (): void => {
      hubs.delete(signal);
      for (const task of [...tasks]) onAbort(task, signal.reason);
    };
    hub = { tasks, listener };
    hubs.set(signal, hub);
    signal.addEventListener("abort", listener, { once: true });
  }
  hub.tasks.add(node);
}

/** The task has ended; with the last one the listener goes. */
export function detach(signal: AbortSignal, node: TaskNode): void {
  const hub = hubs.get(signal);
  if (hub === undefined || !hub.tasks.delete(node) || hub.tasks.size > 0) return;
  hubs.delete(signal);
  signal.removeEventListener("abort", hub.listener);
}
