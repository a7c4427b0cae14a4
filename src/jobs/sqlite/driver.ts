import type * as Sqlite from "node:sqlite";

export type Database = Sqlite.DatabaseSync;
export type Statement = Sqlite.StatementSync;

/** The warning that Node 22 prints when the module is loaded, and no other. */
const EXPERIMENTAL = "SQLite is an experimental feature";

/** Loads Node's SQLite when it is first used: an import of the engine costs nothing. Undefined where Node has none. */
export function loadDriver(): typeof Sqlite | undefined {
  const warn = process.emitWarning;
  process.emitWarning = (warning: string | Error, ...rest: never[]) => {
    if (!String(warning).includes(EXPERIMENTAL)) warn.call(process, warning, ...rest);
  };
  try {
    return process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = warn;
  }
}

/** Rows of a statement, as what the schema says they are. */
export function rowsOf<Row>(statement: Statement, ...values: Sqlite.SQLInputValue[]): Row[] {
  return statement.all(...values) as unknown as Row[];
}

/** The first row of a statement, as what the schema says it is. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- whoever wrote the statement knows
export function rowOf<Row>(statement: Statement, ...values: Sqlite.SQLInputValue[]): Row | undefined {
  return statement.get(...values) as unknown as Row | undefined;
}
