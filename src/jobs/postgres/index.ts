export { postgres } from "./engine.ts";
export type { PostgresOptions } from "./engine.ts";
export type { PgClient, PgPool, PgQueryable } from "./driver.ts";
