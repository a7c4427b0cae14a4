/**
 * `holdfast/inspect`: where every suspended async function of a process waits, and who awaits whom. Of any Node
 * process; nothing is installed in it, and nothing of holdfast needs to be.
 *
 * @module
 */

export type { Thread } from "./contexts.ts";
export { dump } from "./dump.ts";
export type { Dump, DumpOptions, DumpTarget } from "./dump.ts";
export { InspectError } from "./errors.ts";
export type { RefusalCode } from "./errors.ts";
export type { AwaitGraph, SuspendedFunction, Suspension } from "./graph.ts";
export type { StackGroup } from "./groups.ts";
export { toJson } from "./json.ts";
export type { DumpJson, FrameJson, GroupJson, JsonOptions } from "./json.ts";
export type { Place, ScriptInfo } from "./scripts.ts";
export type { Selection } from "./selection.ts";
export type { TaskName } from "./tasks.ts";
export { toText } from "./text.ts";
export type { TextOptions } from "./text.ts";
