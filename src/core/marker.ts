/**
 * By this string the inspector knows a task in the memory of a process: it stands first in the ledger of the task's
 * scope. The number is that of the layout which `inspect/tasks.ts` expects; a test holds the two together.
 */
export const MARKER = "holdfast:tasks:1";
