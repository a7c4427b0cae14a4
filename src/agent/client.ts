import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { TaskInfo } from "../core/info.ts";
import type { AnswerOf, AskedPath, RefusalAnswer, StreamMessage } from "./answers.ts";
import { isUnanswered, listPlaces, removeStale } from "./folder.ts";
import type { AgentPlace } from "./folder.ts";

/** Why an agent could not be asked, or what it has answered. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  /** `HF_NO_AGENT`: nobody listens; `HF_NO_ANSWER`: it is silent; else what the agent says. */
  readonly code: string;
  /** Of something that is not unique: what it may be. */
  readonly candidates: readonly TaskInfo[];

  constructor(code: string, message: string, candidates: readonly TaskInfo[] = [], cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.candidates = candidates;
  }
}

/** How to ask. */
export interface AskOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** An answer as JSON is asked for with POST. */
  readonly body?: object;
  /** For how long it may be silent, in ms: an event loop that is blocked answers nobody. @default for ever */
  readonly within?: number;
}

/** One agent, as others ask it. */
export class AgentClient {
  readonly pid: number;
  readonly #place: AgentPlace;

  constructor(place: AgentPlace) {
    this.pid = place.pid;
    this.#place = place;
  }

  /** The agents that there seem to be. Throws `FolderError`. */
  static list(): AgentClient[] {
    return listPlaces().map((place) => new AgentClient(place));
  }

  /** The answer to a question. Rejects with `AgentError`. */
  async ask<P extends AskedPath>(path: P, options: AskOptions = {}): Promise<AnswerOf<P>> {
    const response = await this.#open(path, options);
    return (await this.#readWhole(response)) as AnswerOf<P>;
  }

  /** What happens, from the moment on at which it says `hello`. Ends when the process does. */
  async *follow(
    query: NonNullable<AskOptions["query"]>,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamMessage> {
    const response = await this.#open("/events", { query }, signal);
    if (response.statusCode !== 200) {
      await this.#readWhole(response);
      return;
    }
    response.setEncoding("utf8");
    let text = "";
    try {
      for await (const part of response as AsyncIterable<string>) {
        const blocks = (text + part).split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) {
          const event = /^event: (.*)$/m.exec(block)?.[1];
          const data = /^data: (.*)$/m.exec(block)?.[1];
          if (event !== undefined && data !== undefined)
            yield { event, data: JSON.parse(data) as unknown } as StreamMessage;
        }
      }
    } catch (error) {
      // The process has ended, or was told to by who asks.
      if (!isCutOff(error)) throw error;
    }
  }

  #open(path: string, options: AskOptions, signal?: AbortSignal): Promise<IncomingMessage> {
    const { query = {}, body, within } = options;
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      given.map(([name, value]) => [name, String(value)] as [string, string]),
    ).toString();
    return new Promise((resolve, reject) => {
      const question = request(
        {
          socketPath: this.#place.socket,
          path: search === "" ? path : `${path}?${search}`,
          method: body === undefined ? "GET" : "POST",
          // A connection of its own, closed at once: while it is open the process measures its loop.
          agent: false,
          ...(signal === undefined ? {} : { signal }),
        },
        resolve,
      );
      question.once("error", (error) => reject(this.#failure(error)));
      if (within !== undefined) {
        question.setTimeout(within, () =>
          question.destroy(
            new AgentError(
              "HF_NO_ANSWER",
              `process ${this.pid} has not answered within ${within} ms: its event loop may be blocked`,
            ),
          ),
        );
      }
      question.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async #readWhole(response: IncomingMessage): Promise<unknown> {
    let text = "";
    try {
      response.setEncoding("utf8");
      for await (const part of response as AsyncIterable<string>) text += part;
    } catch (error) {
      throw this.#failure(error);
    }
    return this.#read(response, text);
  }

  /** Nobody listens: then the socket may be a dead process's, and is removed. */
  #failure(error: unknown): AgentError {
    if (error instanceof AgentError) return error;
    if (isUnanswered(error)) {
      removeStale(this.#place);
      return new AgentError("HF_NO_AGENT", `no agent answers for process ${this.pid}`, [], error);
    }
    const { message } = error as Error;
    return new AgentError(
      "HF_NO_ANSWER",
      `the answer of process ${this.pid} broke off: ${message}`,
      [],
      error,
    );
  }

  #read(response: IncomingMessage, text: string): unknown {
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch (error) {
      throw new AgentError("HF_NO_ANSWER", `process ${this.pid} has answered no JSON`, [], error);
    }
    const { statusCode = 0 } = response;
    if (statusCode < 400) return answer;
    const { code, message, candidates } = (answer as RefusalAnswer).error;
    throw new AgentError(code, message, candidates);
  }
}

function isCutOff(error: unknown): boolean {
  const { code, name } = error as NodeJS.ErrnoException;
  return code === "ECONNRESET" || name === "AbortError";
}
