import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** What is asked: the parts of a request that routes look at, checked. */
export class Question {
  readonly method: string;
  readonly path: string;
  /** What stands in the path in place of `:id`. */
  readonly params: Readonly<Record<string, string>>;
  readonly #query: URLSearchParams;
  readonly #request: IncomingMessage;

  constructor(request: IncomingMessage, url: URL, params: Readonly<Record<string, string>> = {}) {
    this.method = request.method ?? "GET";
    this.path = url.pathname;
    this.params = params;
    this.#query = url.searchParams;
    this.#request = request;
  }

  /** Refuses what is not among the parameters that a route knows: a typo would else be ignored in silence. */
  allow(...known: readonly string[]): void {
    for (const name of this.#query.keys()) {
      if (known.includes(name)) continue;
      const which = known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`;
      throw new Refusal(
        "HF_BAD_REQUEST",
        `${this.path} does not know the parameter ${JSON.stringify(name)}: ${which}`,
      );
    }
  }

  text(name: string): string | undefined {
    return this.#query.get(name) ?? undefined;
  }

  number(name: string, { fallback, max }: { readonly fallback: number; readonly max: number }): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= 1 && number <= max) return number;
    throw new Refusal(
      "HF_BAD_REQUEST",
      `${name} is ${JSON.stringify(text)}: expected a number from 1 to ${max}`,
    );
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : toChoice(name, text, choices);
  }

  /** Several, with commas between them. */
  choices<T extends string>(name: string, choices: readonly T[]): readonly T[] {
    const text = this.text(name);
    return text === undefined ? choices : text.split(",").map((one) => toChoice(name, one, choices));
  }

  /** The body, an object of JSON; without a body an empty one. Refuses fields that a route does not know. */
  async body(...known: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const text = await readText(this.#request);
    const body = text.trim() === "" ? {} : parse(text);
    if (typeof body !== "object" || body === null || Array.isArray(body))
      throw new Refusal("HF_BAD_REQUEST", "the body has to be an object of JSON");
    for (const name of Object.keys(body)) {
      if (!known.includes(name))
        throw new Refusal(
          "HF_BAD_REQUEST",
          `${this.path} does not know the field ${JSON.stringify(name)}: it takes ${known.join(", ")}`,
        );
    }
    return body as Readonly<Record<string, unknown>>;
  }
}

function toChoice<T extends string>(name: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text);
  if (choice !== undefined) return choice;
  throw new Refusal("HF_BAD_REQUEST", `${name} is ${JSON.stringify(text)}: expected ${choices.join(", ")}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal("HF_BAD_REQUEST", `the body is no JSON: ${(error as Error).message}`);
  }
}

/** How long a body may be, in bytes: what is asked for is a task and a reason. */
const MAX_BODY = 64 * 1024;

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY) throw new Refusal("HF_TOO_LARGE", `the body is longer than ${MAX_BODY} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
