import { JobInputError } from "./errors.ts";
import { issueText } from "./standard-schema.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** The longest input that is taken, in UTF-16 code units of its JSON. What is larger belongs elsewhere, its name here. */
export const MAX_INPUT = 1_048_576;

/** The JSON text of an input. Throws `JobInputError`. */
export function toInputText(job: string, input: unknown): string {
  const text = toJson(job, input) ?? "null";
  if (text.length > MAX_INPUT)
    throw new JobInputError(job, undefined, [
      `its JSON has ${text.length} characters, ${MAX_INPUT} are allowed`,
    ]);
  return text;
}

/**
 * What the job's function gets for this text: the schema's output. At `enqueue` it is asked of the very text that will
 * be stored, so that what JSON cannot carry (a Date, a Map) is found there, not in the night. Rejects with
 * `JobInputError`.
 */
export async function readInput(
  job: string,
  id: string | undefined,
  text: string,
  schema: StandardSchema | undefined,
): Promise<unknown> {
  const value: unknown = JSON.parse(text);
  if (schema === undefined) return value;
  let result;
  try {
    result = await schema["~standard"].validate(value);
  } catch (error) {
    throw new JobInputError(job, id, ["the schema itself failed"], error);
  }
  if (result.issues !== undefined) throw new JobInputError(job, id, result.issues.map(issueText));
  return result.value;
}

function toJson(job: string, value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new JobInputError(job, undefined, ["it cannot be written as JSON"], error);
  }
}
