import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { RefusalAnswer } from "./answers.ts";
import { toJsonText } from "./json.ts";
import { Question } from "./question.ts";
import { Refusal, statuses } from "./refusal.ts";
import { routeInfos, ROUTES } from "./routes.ts";
import type { Route, Subject } from "./routes.ts";

/** How many may be connected at the same time: people and their tools, not a crowd. */
const MAX_CONNECTIONS = 64;

/** The server of an agent, which keeps no process alive: neither it nor a connection to it. */
export function serverOf(subject: Subject): Server {
  const server = createServer((request, response) => void answer(subject, request, response));
  server.maxConnections = MAX_CONNECTIONS;
  server.on("connection", (socket: Socket) => {
    socket.unref();
    subject.meter.retain();
    socket.once("close", () => subject.meter.release());
  });
  return server;
}

async function answer(subject: Subject, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const { route, question } = find(request);
    const found = await route.answer(subject, question, response);
    if (found === undefined) return;
    if (isText(found)) send(response, 200, found.type, found.text);
    else sendJson(response, route.status ?? 200, found);
  } catch (error) {
    refuse(request, response, error);
  }
}

function isText(found: object): found is { type: string; text: string } {
  return "text" in found && "type" in found;
}

function find(request: IncomingMessage): { route: Route; question: Question } {
  const { method = "GET", url: target = "/" } = request;
  const url = toUrl(target);
  const here = ROUTES.flatMap((route) => {
    const params = match(route.path, url.pathname);
    return params === undefined ? [] : [{ route, params }];
  });
  const found = here.find(({ route }) => route.method === method);
  if (found !== undefined) return { route: found.route, question: new Question(request, url, found.params) };
  if (here.length > 0) throw new WrongMethod(url.pathname, here.map(({ route }) => route.method).join(", "));
  throw new Refusal("HF_NO_ROUTE", `there is no ${url.pathname}`, { routes: routeInfos });
}

/** A route that is there, but is not asked like that. */
class WrongMethod extends Refusal {
  readonly allowed: string;

  constructor(path: string, allowed: string) {
    super("HF_WRONG_METHOD", `${path} is to be asked with ${allowed}`, { routes: routeInfos });
    this.allowed = allowed;
  }
}

function toUrl(target: string): URL {
  const url = URL.parse(target, "http://holdfast");
  if (url === null) throw new Refusal("HF_BAD_REQUEST", `${JSON.stringify(target)} is no address`);
  return url;
}

/** The parameters of a path; undefined where it is another. */
function match(pattern: string, path: string): Record<string, string> | undefined {
  const parts = path.split("/");
  const wanted = pattern.split("/");
  if (parts.length !== wanted.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of wanted.entries()) {
    const given = parts[at] ?? "";
    if (part.startsWith(":") && given !== "") params[part.slice(1)] = given;
    else if (part !== given) return undefined;
  }
  return params;
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  // The connection has gone, or an answer has begun: there is nobody to tell.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const refusal =
    error instanceof Refusal
      ? error
      : new Refusal("HF_AGENT_DEFECT", `this is a defect of holdfast: ${String((error as Error)?.stack)}`);
  // What is left of a body that was not read to its end is not another request.
  if (!request.complete) response.setHeader("connection", "close");
  if (refusal instanceof WrongMethod) response.setHeader("allow", refusal.allowed);
  const { code, message, more } = refusal;
  sendJson(response, statuses[code], { error: { code, message, ...more } } satisfies RefusalAnswer);
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  send(response, status, "application/json; charset=utf-8", `${toJsonText(body)}\n`);
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}
