import fc, { type Arbitrary } from "fast-check";
import {
  CLEANUPS,
  FATES,
  KEYS,
  LIMITS,
  SETTLES,
  SIGNALS,
  THENABLES,
  THROWN,
  type Body,
  type CloseSpec,
  type Ending,
  type GroupSpec,
  type Program,
  type ScopeSpec,
  type ServiceSpec,
  type Step,
  type TaskSpec,
  type Where,
} from "./program.ts";

/** How deep bodies nest. */
const DEPTH = 3;

const index = fc.nat(11);
const ms = fc.integer({ min: 1, max: 60 });
const grace = fc.constantFrom(5, 20, 60, 150);
const callback = fc.constantFrom("ok", "ok", "throws", "rejects");
const thrown = fc.constantFrom(...THROWN);
const fate = fc.oneof(
  { weight: 5, arbitrary: fc.constant("detach" as const) },
  { weight: 6, arbitrary: fc.constantFrom(...FATES) },
);
const where: Arbitrary<Where> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("self" as const, "ambient" as const, "mine" as const) },
  { weight: 3, arbitrary: index },
);

/** Each key is there once in `rarity` times; what is absent is not a key. */
function sparse<T extends object>(rarity: number, keys: { [K in keyof T]-?: Arbitrary<T[K]> }): Arbitrary<T> {
  const nil = { weight: rarity - 1, arbitrary: fc.constant(undefined) };
  const options = Object.fromEntries(
    Object.entries<Arbitrary<unknown>>(keys).map(([key, arbitrary]) => [
      key,
      fc.oneof(nil, { weight: 1, arbitrary }),
    ]),
  );
  return fc
    .record(options)
    .map(
      (record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as T,
    );
}

/** Nothing special half of the time. */
const plainOr = <T extends object>(special: Arbitrary<T>): Arbitrary<T> =>
  fc.oneof({ weight: 1, arbitrary: fc.constant({} as T) }, { weight: 1, arbitrary: special });

const taskSpec = plainOr(
  sparse<TaskSpec>(4, {
    timeout: ms,
    deadline: fc.integer({ min: 5, max: 120 }),
    grace,
    retry: fc.record({
      attempts: fc.integer({ min: 2, max: 4 }),
      min: fc.integer({ min: 0, max: 30 }),
      when: fc.constantFrom("always", "always", "always", "never", "throws"),
    }),
    key: fc.nat(KEYS.length - 1),
    onConflict: fc.constantFrom("join", "replace", "replace", "reject"),
    limit: fc.nat(LIMITS.length - 1),
    delay: ms,
    signal: fc.nat(SIGNALS - 1),
    onError: callback,
  }),
);
const groupSpec = plainOr(
  sparse<GroupSpec>(5, {
    timeout: ms,
    deadline: fc.integer({ min: 5, max: 120 }),
    grace,
    retry: fc.record({
      attempts: fc.integer({ min: 2, max: 3 }),
      min: fc.integer({ min: 0, max: 30 }),
      when: fc.constant("always" as const),
    }),
    key: fc.nat(KEYS.length - 1),
    onConflict: fc.constantFrom("join", "replace", "reject"),
    delay: ms,
    signal: fc.nat(SIGNALS - 1),
    onError: callback,
    concurrency: fc.integer({ min: 1, max: 2 }),
    queue: fc.nat(2),
  }),
);
const scopeKeys = {
  concurrency: fc.integer({ min: 1, max: 3 }),
  queue: fc.nat(3),
  onFull: fc.constantFrom("reject" as const, "drop-oldest" as const),
  onError: callback,
  onFailure: fc.constantFrom("isolate" as const, "cancel-all" as const),
  strategy: fc.constantFrom("one-for-one" as const, "one-for-all" as const, "rest-for-one" as const),
  grace,
  timeout: fc.integer({ min: 20, max: 200 }),
  deferTimeout: fc.constantFrom(5, 30),
};
const scopeSpec = sparse<ScopeSpec>(4, { ...scopeKeys, context: fc.constantFrom(true, true, false) });
const serviceSpec: Arbitrary<ServiceSpec> = fc.record(
  {
    restart: fc.constantFrom("always", "on-failure", "on-failure", "never"),
    restarts: fc.integer({ min: 1, max: 4 }),
    min: fc.integer({ min: 1, max: 30 }),
    ready: fc.boolean(),
    grace,
    delay: ms,
  },
  { requiredKeys: ["restart", "restarts", "min", "ready"] },
);
const closeSpec: Arbitrary<CloseSpec> = fc.record(
  {
    how: fc.constantFrom("close", "close", "cancel"),
    drain: fc.constantFrom(0, 0, 10, 50, 300),
    grace: fc.constantFrom(5, 30, 100),
  },
  { requiredKeys: ["how", "drain"] },
);

const leaf: Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constantFrom("sleep", "sleep", "sleep", "doze", "raw", "ticks"), ms }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("checkpoint", "progress", "ready", "poll") }) },
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant("cancel"),
      target: index,
      fate: fc.constantFrom("await", "detach", "detach"),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("await"),
      target: index,
      fate: fc.constantFrom("await", "outcome", "catch", "finally", "attach"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("defer"),
      where: fc.oneof(fc.constant("task" as const), index),
      cleanup: fc.record({ kind: fc.constantFrom("ok", ...CLEANUPS), what: thrown, ms }),
      use: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("adopt"),
      target: index,
      settle: fc.constantFrom(...SETTLES),
      ms,
      fate,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom("request-close", "abort"), target: index }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("lose"), target: index }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("close"),
      target: index,
      spec: closeSpec,
      fate: fc.constantFrom("await", "detach"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant("until"),
      what: fc.constantFrom("idle", "room", "ready"),
      target: index,
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("listen"), target: index, event: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("throw"), what: thrown }) },
);

const ending: Arbitrary<Ending> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ end: "return" }) },
  { weight: 4, arbitrary: fc.record({ end: fc.constant("throw"), what: thrown }) },
  { weight: 1, arbitrary: fc.record({ end: fc.constant("hang"), lostAfter: ms }, { requiredKeys: ["end"] }) },
  { weight: 3, arbitrary: fc.constant({ end: "stay" }) },
);

function bodyOf(step: Arbitrary<Step>, steps: number): Arbitrary<Body> {
  return fc.record({
    style: fc.oneof(
      { weight: 12, arbitrary: fc.constant("async" as const) },
      { weight: 2, arbitrary: fc.constant("sync" as const) },
      { weight: 1, arbitrary: fc.constantFrom(...THENABLES) },
    ),
    failures: fc.constantFrom(0, 0, 0, 1, 2, 9),
    steps: fc.array(step, { maxLength: steps }),
    caught: fc.constantFrom("rethrow", "rethrow", "rethrow", "swallow", "replace", "wrap"),
    finally: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(step, { maxLength: 2 }) },
    ),
    ending,
  });
}

/** Steps at a depth; at depth 0 only those that hold no others. */
function stepAt(depth: number): Arbitrary<Step> {
  if (depth === 0) return leaf;
  const inner = stepAt(depth - 1);
  const body = bodyOf(inner, 1 + depth);
  const steps = fc.array(inner, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 12, arbitrary: leaf },
    { weight: 14, arbitrary: fc.record({ op: fc.constant("spawn"), where, body, spec: taskSpec, fate }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant("group"), where, body, spec: groupSpec, fate }) },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("map"),
        where,
        items: fc.array(bodyOf(leaf, 2), { minLength: 1, maxLength: 3 }),
        source: fc.constantFrom("array", "array", "async", "throws"),
        concurrency: fc.integer({ min: 1, max: 2 }),
        fate,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ op: fc.constant("service"), target: index, body, spec: serviceSpec }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant("every"),
        target: index,
        period: fc.integer({ min: 5, max: 40 }),
        overlap: fc.constantFrom("skip", "queue", "allow"),
        body: bodyOf(leaf, 2),
      }),
    },
    { weight: 3, arbitrary: fc.record({ op: fc.constant("scope"), target: index, spec: scopeSpec, steps }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constantFrom("shield", "try"), steps }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant("timeout"), ms, steps }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant("late"), ms, step: inner }) },
  );
}

/** Random programs. */
export const programs: Arbitrary<Program> = fc.record({
  root: fc
    .tuple(
      sparse<ScopeSpec>(6, { ...scopeKeys, timeout: fc.constant(2_000), context: fc.constant(true) }),
      fc.constantFrom(3, 1_000, 1_000),
    )
    .map(([spec, records]) => ({ ...spec, records })),
  script: fc.array(stepAt(DEPTH), { minLength: 3, maxLength: 12, size: "max" }),
  end: closeSpec,
});
