/** How often to measure. */
export interface Effort {
  /** How long all rounds of one thing may take, in ms. */
  readonly budget: number;
  readonly leastRounds: number;
  readonly mostRounds: number;
}

/** As many rounds as fit, of so many ms each. */
export function roundsOf(ms: number, { budget, leastRounds, mostRounds }: Effort): number {
  return Math.min(mostRounds, Math.max(leastRounds, Math.floor(budget / ms)));
}
