import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leakGate } from "../../src/testing/index.ts";
import { Ajv2020 } from "ajv/dist/2020.js";
import { startAgent } from "../../src/agent/agent.ts";
import type { Agent, AgentOptions } from "../../src/agent/agent.ts";
import { openScope } from "../../src/index.ts";
import type { RootOptions, Scope } from "../../src/index.ts";

const cleanUps: (() => unknown)[] = [];

/** Has something done at the end of the test, before it is looked at for leaks. */
export function atEnd(cleanUp: () => unknown): void {
  cleanUps.push(cleanUp);
}

/** For `afterEach`: cleans up, last first, and fails a test that leaves something behind. */
export function tidy(): () => Promise<void> {
  const gate = leakGate();
  return async () => {
    for (let next = cleanUps.pop(); next !== undefined; next = cleanUps.pop()) await next();
    await gate();
  };
}

/** A folder of its own for one test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-agent-"));
  atEnd(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** An agent on a real socket in a folder of its own, which tells of a scope of its own. */
export async function agentOf(
  options: Partial<AgentOptions> = {},
  root: RootOptions = {},
): Promise<{ app: Scope; agent: Agent }> {
  const app = openScope("app", { grace: 0, onError: () => undefined, ...root });
  const agent = await startAgent({ name: "test", scope: app, folder: folder(), ...options });
  atEnd(async () => {
    await agent.close();
    await app.cancel();
  });
  return { app, agent };
}

export interface Answered {
  readonly status: number;
  readonly type: string;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** Of an answer in JSON. */
  readonly json: Record<string, never>;
}

/** Asks an agent, as curl would: a connection for each question. */
export async function ask(
  { socket }: Agent,
  path: string,
  body?: unknown,
  method?: string,
): Promise<Answered> {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const response = await open(socket, path, {
    method: method ?? (text === undefined ? "GET" : "POST"),
    text,
  });
  let answer = "";
  for await (const part of response as AsyncIterable<Buffer>) answer += part.toString();
  const type = response.headers["content-type"] ?? "";
  const json = (type.startsWith("application/json") ? JSON.parse(answer) : {}) as Record<string, never>;
  return { status: response.statusCode ?? 0, type, headers: response.headers, text: answer, json };
}

function open(
  socketPath: string,
  path: string,
  { method, text }: { method: string; text?: string | undefined },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, path, method, agent: false }, resolve);
    question.once("error", reject);
    question.end(text);
  });
}

export interface Message {
  readonly id: number;
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** Follows the events of an agent. */
export class Follower {
  readonly response: IncomingMessage;
  readonly messages: Message[] = [];
  text = "";
  ended = false;
  readonly #watchers = new Set<() => void>();

  constructor(response: IncomingMessage) {
    this.response = response;
    response.on("data", (part: Buffer) => {
      this.text += part.toString();
      this.#read();
    });
    const end = (): void => {
      this.ended = true;
      this.#look();
    };
    response.on("error", end);
    response.on("close", end);
    atEnd(() => void response.destroy());
  }

  /** When it is sure that nothing is missed from here on. */
  static async of({ socket }: Agent, path = "/events"): Promise<Follower> {
    const follower = new Follower(await open(socket, path, { method: "GET" }));
    await follower.until(() => follower.messages[0]?.event === "hello");
    return follower;
  }

  #parsed = 0;

  #read(): void {
    for (;;) {
      const end = this.text.indexOf("\n\n", this.#parsed);
      if (end === -1) break;
      const block = this.text.slice(this.#parsed, end);
      this.#parsed = end + 2;
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? "";
      if (block.startsWith(":")) continue;
      const data = JSON.parse(field("data")) as Record<string, unknown>;
      this.messages.push({ id: Number(field("id")), event: field("event"), data });
    }
    this.#look();
  }

  #look(): void {
    for (const watcher of this.#watchers) watcher();
  }

  /** Resolves as soon as it is so. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!isSo() && !this.ended) return;
        this.#watchers.delete(look);
        if (isSo()) resolve();
        else reject(new Error(`the stream ended: ${this.text.slice(-500)}`));
      };
      this.#watchers.add(look);
      look();
    });
  }
}

interface OpenApi {
  readonly paths: Record<string, Record<string, unknown>>;
}

export const openapi = JSON.parse(
  readFileSync(new URL("../../src/agent/openapi.json", import.meta.url), "utf8"),
) as OpenApi;

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(openapi, "openapi");

/** What is wrong with an answer, by a schema of openapi.json. */
export function faults(schema: string, answer: unknown): unknown[] {
  const validate = ajv.getSchema(`openapi#/components/schemas/${schema}`);
  if (validate === undefined) throw new Error(`openapi.json has no schema ${schema}`);
  return validate(answer) === true ? [] : (validate.errors ?? []);
}
