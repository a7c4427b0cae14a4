import type { Duration } from "./words.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** A value that an option cannot take: a RangeError with `code: "HF_BAD_OPTION"` and the option's name. */
export function badOption(option: string, value: unknown, expected: string): RangeError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return Object.assign(new RangeError(`${option} is ${shown}: expected ${expected}`), {
    code: "HF_BAD_OPTION",
    option,
  });
}

/**
 * A duration in milliseconds. Throws `RangeError` for what is negative, not finite, or cannot be read.
 *
 * @example toMs("1.5s", "timeout") // 1500
 */
export function toMs(duration: Duration, option: string): number {
  if (typeof duration === "number") {
    if (duration >= 0 && duration < Infinity) return duration;
  } else if (typeof duration === "string") {
    const match = PATTERN.exec(duration);
    if (match !== null) return Number(match[1]) * (UNITS[match[2] as string] as number);
  }
  throw badOption(option, duration, 'milliseconds from 0, or a number with ms, s, m, h or d, such as "30s"');
}

/** A duration that may be left out. */
export function givenMs(duration: Duration | undefined, option: string): number | undefined {
  return duration === undefined ? undefined : toMs(duration, option);
}

/** A whole number of at least `min`, or `RangeError`. */
export function toCount(value: number, option: string, min: number): number {
  if (Number.isInteger(value) && value >= min) return value;
  throw badOption(option, value, `a whole number of at least ${min}`);
}

/** How many at most: a whole number of at least `min`, or no bound; left out it is none. */
export function toBound(value: number | undefined, option: string, min: number): number {
  return value === undefined || value === Infinity ? Infinity : toCount(value, option, min);
}

/** A function, or `RangeError`. */
export function toFunction<F>(value: F, option: string): F {
  if (typeof value === "function") return value;
  throw badOption(option, value, "a function");
}

/** One of a few words, or `RangeError`; left out it is the first. */
export function oneOf<T extends string>(
  option: string,
  value: T | undefined,
  allowed: readonly [T, ...T[]],
): T {
  if (value === undefined) return allowed[0];
  if (allowed.includes(value)) return value;
  throw badOption(option, value, allowed.join(" or "));
}

/** An object with options in it, or `RangeError`. */
export function toObject<O>(value: O, option: string): O {
  if (typeof value === "object" && value !== null) return value;
  throw badOption(option, value, "an object");
}

/** A name or key: a string with something in it, or `RangeError`. */
export function toName(value: string, option: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw badOption(option, value, "a string that is not empty");
}
