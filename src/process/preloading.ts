/*
 * The first import of register.ts: core, which is loaded after it, is told that no task is to come. Taken away again when
 * that is done.
 */
Object.defineProperty(globalThis, "holdfastPreloads", { value: true, configurable: true });
