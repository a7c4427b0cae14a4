import type { RefusalAnswer } from "./answers.ts";

/** Why a question is not answered, by the HTTP status that says it. */
export const statuses = {
  HF_BAD_REQUEST: 400,
  HF_NO_ROUTE: 404,
  HF_NO_TASK: 404,
  HF_WRONG_METHOD: 405,
  HF_AMBIGUOUS: 409,
  HF_TASK_ENDED: 409,
  HF_TOO_LARGE: 413,
  HF_AGENT_DEFECT: 500,
  HF_NO_DUMP: 501,
  HF_NO_GC: 501,
} as const;

export type RefusalReason = keyof typeof statuses;

/** A question that the agent does not answer; who asked is told the code and the message. */
export class Refusal extends Error {
  readonly code: RefusalReason;
  readonly more: Omit<RefusalAnswer["error"], "code" | "message">;

  constructor(code: RefusalReason, message: string, more: Refusal["more"] = {}) {
    super(message);
    this.code = code;
    this.more = more;
  }
}
