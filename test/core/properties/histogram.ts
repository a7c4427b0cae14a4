import { CLEANUPS, SETTLES, THENABLES, THROWN, type Op } from "./program.ts";
import type { World } from "./world.ts";

const OPS: readonly Op[] = [
  "spawn",
  "group",
  "map",
  "service",
  "every",
  "adopt",
  "scope",
  "sleep",
  "doze",
  "raw",
  "ticks",
  "checkpoint",
  "poll",
  "progress",
  "ready",
  "shield",
  "timeout",
  "try",
  "defer",
  "await",
  "until",
  "listen",
  "cancel",
  "close",
  "request-close",
  "abort",
  "lose",
  "late",
  "throw",
];
const FAULTS: readonly string[] = [
  ...THROWN.map((what) => `throws ${what}`),
  ...THENABLES.map((kind) => `thenable ${kind}`),
  ...CLEANUPS.filter((kind) => kind !== "ok").map((kind) => `clean-up: ${kind}`),
  ...SETTLES.map((kind) => `adopts ${kind}`),
  "hang",
  "lost",
  "cancel",
  "close",
  "abort",
  "spawns late",
  "onError throws",
  "onError rejects",
  "listener throws",
  "retry.when throws",
  "iterable throws",
];
const STATES = ["succeeded", "failed", "cancelled", "lost", "abandoned"];

/** In how many programs what was seen, and how much each did. */
export class Histogram {
  programs = 0;
  readonly #seen: Map<string, number> = new Map();
  readonly #sizes: number[] = [];

  add(world: World): void {
    this.programs++;
    let size = 0;
    for (const [op, count] of world.ops) {
      size += count;
      this.#count(`op ${op}`);
    }
    this.#sizes.push(size);
    for (const fault of world.faults) this.#count(`fault ${fault}`);
    for (const state of new Set(world.ended.values())) this.#count(`state ${state}`);
  }

  #count(what: string): void {
    this.#seen.set(what, (this.#seen.get(what) ?? 0) + 1);
  }

  /** How many operations the middle program took. */
  median(): number {
    return this.#sizes.toSorted((a, b) => a - b)[Math.floor(this.#sizes.length / 2)] ?? 0;
  }

  /** What was seen in too few programs. */
  rare(share: number): string[] {
    return this.#rows()
      .filter(([, count]) => count < share * this.programs)
      .map(([what]) => what);
  }

  #rows(): [string, number][] {
    const wanted = [
      ...OPS.map((op) => `op ${op}`),
      ...FAULTS.map((fault) => `fault ${fault}`),
      ...STATES.map((state) => `state ${state}`),
    ];
    return wanted.map((what) => [what, this.#seen.get(what) ?? 0]);
  }

  toString(): string {
    const share = (count: number): string => `${((100 * count) / Math.max(1, this.programs)).toFixed(1)} %`;
    const cells = this.#rows().map(([what, count]) => `${what.padEnd(26)}${share(count).padStart(8)}`);
    const lines: string[] = [];
    for (let at = 0; at < cells.length; at += 3) lines.push(`  ${cells.slice(at, at + 3).join("   ")}`);
    const most = this.#sizes.reduce((max, size) => Math.max(max, size), 0);
    return [
      `${this.programs} programs, operations: median ${this.median()}, most ${most}; share of programs with`,
      ...lines,
    ].join("\n");
  }
}
