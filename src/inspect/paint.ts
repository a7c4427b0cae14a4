import { styleText } from "node:util";

/** How parts of a text look. */
export interface Paint {
  readonly heading: (text: string) => string;
  readonly name: (text: string) => string;
  readonly task: (text: string) => string;
  readonly warning: (text: string) => string;
  /** What is there for completeness. */
  readonly faint: (text: string) => string;
}

const plain = (text: string): string => text;
const style =
  (format: Parameters<typeof styleText>[0]) =>
  (text: string): string =>
    // Whether there is a terminal was asked before; this would ask again, and of stdout.
    text === "" ? "" : styleText(format, text, { validateStream: false });

/** With colours, or as it is. */
export function paintWith(colours: boolean): Paint {
  if (!colours) return { heading: plain, name: plain, task: plain, warning: plain, faint: plain };
  return {
    heading: style("bold"),
    name: style("cyan"),
    task: style("green"),
    warning: style("yellow"),
    faint: style("dim"),
  };
}
