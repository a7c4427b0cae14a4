import { createHash } from "node:crypto";

/**
 * Text as Postgres can hold it. It knows no NUL and no half of a surrogate pair, which names and keys may have; such
 * are kept as JSON, which escapes them. JSON of objects escapes them anyway.
 */
export function toText(value: string): string {
  return value.startsWith('"') || /[\0\p{Surrogate}]/u.test(value) ? JSON.stringify(value) : value;
}

export function fromText(value: string): string {
  return value.startsWith('"') ? (JSON.parse(value) as string) : value;
}

/** Of any length, at the length that an index takes. */
export function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether it can be an id of this engine at all; Postgres refuses to compare it otherwise. */
export function isId(id: string): boolean {
  return uuid.test(id);
}
