/*
 * The first import of register.ts: what is loaded after it is told that no task is to come.
 */
Object.defineProperty(globalThis, Symbol.for("holdfast.preloading"), { value: true, configurable: true });
