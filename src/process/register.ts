import "./preloading.ts";
import { isMainThread } from "node:worker_threads";
import { preload } from "./preload.ts";

/*
 * `node --import holdfast/register app.js` (or `--require`): the agent, the watchdog and the journal for a program that
 * was written without holdfast. See docs/register.md.
 */

Reflect.deleteProperty(globalThis, "holdfastPreloads");
// A worker thread inherits the flag, and has no process of its own.
if (isMainThread) preload();
