import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/*
 * How a receiver knows that a call came from us, was not changed and is not an old one sent again: the scheme of
 * standardwebhooks.com, for which there are libraries in every language.
 */

/** Calls older or newer than this are not accepted. */
const toleranceSeconds = 300;

export function makeSecret(): string {
  return `whsec_${randomBytes(24).toString("base64")}`;
}

/** The headers of one call. */
export function sign(secret: string, id: string, body: string, at = new Date()): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${hmac(secret, id, timestamp, body)}`,
  };
}

/** The receiver's side. */
export function isSigned(
  secret: string,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  now = new Date(),
): boolean {
  const [id, timestamp, signature] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) =>
    String(headers[name] ?? ""),
  ) as [string, string, string];
  if (!(Math.abs(now.getTime() / 1000 - Number(timestamp)) <= toleranceSeconds)) return false;
  const expected = Buffer.from(`v1,${hmac(secret, id, timestamp, body)}`);
  const given = Buffer.from(signature);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function hmac(secret: string, id: string, timestamp: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
}
