import { constants } from "node:os";
import { badOption } from "../core/duration.ts";
import { isHangupIgnored } from "./hangup.ts";

/** The name of a signal: `SIGTERM`. */
export type SignalName = `SIG${string}`;

/** A signal that this platform has. */
export interface StopSignal {
  readonly name: SignalName;
  readonly number: number;
}

/** The signals that end a process: those asked for, or the default ones. Throws `RangeError` for a name that is none. */
export function toStopSignals(names: readonly SignalName[] | undefined): StopSignal[] {
  return [...new Set(names ?? defaultNames())].map(toStopSignal);
}

/** Left alone where the program was started so as to outlive its terminal, and kept from killing it. */
export function isHangupToBeIgnored(names: readonly SignalName[] | undefined): boolean {
  return names === undefined && process.platform !== "win32" && isHangupIgnored();
}

function defaultNames(): SignalName[] {
  if (process.platform === "win32") return ["SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"];
  return isHangupIgnored() ? ["SIGTERM", "SIGINT"] : ["SIGTERM", "SIGINT", "SIGHUP"];
}

function toStopSignal(name: SignalName): StopSignal {
  const number = (constants.signals as Readonly<Record<string, number | undefined>>)[name];
  if (number === undefined || name === "SIGKILL" || name === "SIGSTOP") {
    throw badOption("signals", name, "names of signals that can be listened to, such as SIGTERM");
  }
  return { name, number };
}

/** Listens to signals. Returns the function that stops; then they do again what they do by default. */
export function onSignals(
  signals: readonly StopSignal[],
  listener: (signal: StopSignal) => void,
): () => void {
  const listeners = signals.map((signal) => ({ name: signal.name, own: () => listener(signal) }));
  for (const { name, own } of listeners) process.on(name as NodeJS.Signals, own);
  return () => {
    for (const { name, own } of listeners) process.off(name, own);
  };
}

/** Node has set an ignored SIGHUP back to its default, which kills: listening without doing anything ignores it again. */
export function ignoreHangup(): () => void {
  return onSignals([toStopSignal("SIGHUP")], () => undefined);
}
