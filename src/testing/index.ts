export { leakGate } from "./leak-gate.ts";
export { useManualClock } from "./manual-clock.ts";
export type { ManualClock, ManualClockOptions } from "./manual-clock.ts";
