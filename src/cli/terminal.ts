/** Where a verb writes to, and what it may do there. */
export interface Terminal {
  readonly write: (text: string) => void;
  readonly colours: boolean;
  /** Undefined where it is no terminal. */
  readonly columns: number | undefined;
}

/**
 * A terminal, a pipe or a file. Colours only on a terminal that has them, and for whom NO_COLOR does not say otherwise
 * (https://no-color.org). Who reads from a pipe may stop in the middle, as `head` does: that is no error.
 */
export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  const isTerminal = stream.isTTY;
  return {
    write: (text) => void stream.write(text),
    colours: isTerminal && !isSet("NO_COLOR") && stream.hasColors(),
    columns: isTerminal && stream.columns > 0 ? stream.columns : undefined,
  };
}

function isSet(name: string): boolean {
  const value = process.env[name];
  return value !== undefined && value !== "";
}
