/**
 * What holdfast asks of a schema: the interface of https://standardschema.dev (version 1), which Zod, Valibot, ArkType
 * and others implement. Its types are copied here, as its authors suggest, so that no package has to be installed.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    /** The library that made it. */
    readonly vendor: string;
    /** Never throws for a value that does not fit: it says so. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Never there at run time: what the compiler knows the types from. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validation says. */
export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong, and where. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What may be given to `enqueue`. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["input"];

/** What the job's function gets. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

/** An issue in words: `tenant.id: expected a string`. */
export function issueText({ message, path }: StandardIssue): string {
  if (path === undefined || path.length === 0) return message;
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${keys.join(".")}: ${message}`;
}
