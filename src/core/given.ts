/** The same without what is undefined: those properties are absent, as JSON and exact optional properties want it. */
export type Given<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out the properties that are undefined. */
export function given<T extends object>(all: T): Given<T> {
  const some: Partial<T> = {};
  for (const [name, value] of Object.entries(all))
    if (value !== undefined) some[name as keyof T] = value as T[keyof T];
  return some as unknown as Given<T>;
}
