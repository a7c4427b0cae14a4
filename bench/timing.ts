/** One measurement, by both clocks. */
export interface Sample {
  readonly wall: number;
  readonly cpu: number;
}

/** What was found over the rounds. */
export interface Timing {
  /** By the clock on the wall: the median. */
  readonly wall: number;
  /** Of the CPU: the mean, since the system counts it in ticks that are longer than some samples. */
  readonly cpu: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function medians(samples: readonly Sample[]): Timing {
  const cpu = samples.reduce((sum, sample) => sum + sample.cpu, 0) / samples.length;
  return { wall: median(samples.map((sample) => sample.wall)), cpu };
}
