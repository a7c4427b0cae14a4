import { InvalidArgumentError } from "commander";

/** A number from 1. */
export function toCount(text: string): number {
  if (/^\d+$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError("It is a number from 1.");
}

/** A number from 0. */
export function toLimit(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number from 0.");
}

/** The id of a task, as `holdfast tree` prints it, with or without its `#`. */
export function toId(text: string): number {
  if (/^#?\d+$/.test(text)) return Number(text.replace("#", ""));
  throw new InvalidArgumentError("The id of a task is a number, as holdfast tree prints it.");
}
