import type { RefusalCode } from "../inspect/index.ts";

/** How the command line ends where nothing is wrong with the process looked at. */
export const OK = 0;
/** Something that must not happen: a defect of holdfast. */
export const DEFECT = 1;
export const WRONG_ARGUMENTS = 2;

/** How it ends where a process cannot be read. Promises, as the codes of errors are: scripts ask for them. */
export const refusals: Readonly<Record<RefusalCode, number>> = {
  HF_NO_SUCH_PROCESS: 3,
  HF_NOT_ALLOWED: 4,
  HF_NOT_NODE: 5,
  HF_UNKNOWN_V8: 6,
  HF_LAYOUT_MISMATCH: 7,
  HF_UNSUPPORTED_PLATFORM: 8,
  HF_PROCESS_GONE: 9,
  HF_CANNOT_STOP: 10,
};
