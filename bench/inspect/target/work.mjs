let timer;
let started = 0;
let calls = 0;

/** Of so many requests one waits for later turns of the loop, as for an answer from elsewhere. */
const ONE_WAITS = 20;
/** Async calls in each request. */
const CALLS = 4;

/** Begins to make so many async calls a second, next to all that sleeps. */
export function work(rate) {
  started = performance.now();
  calls = 0;
  turn(rate);
}

function turn(rate) {
  const due = ((performance.now() - started) / 1_000) * rate;
  // After a pause it does not catch up at once: no service gets all its requests in one turn.
  const until = Math.min(due, calls + rate / 50);
  if (until < due) started += ((due - until) / rate) * 1_000;
  for (; calls < until; calls += CALLS) void request(calls / CALLS);
  timer = setTimeout(turn, 1, rate);
}

async function request(id) {
  const user = await authorize(id);
  return await answer(user);
}

async function authorize(id) {
  await Promise.resolve();
  return { id, name: `user ${id}` };
}

async function answer(user) {
  if (user.id % ONE_WAITS === 0) await fetched();
  return await render(user);
}

async function render(user) {
  await Promise.resolve();
  return `hello ${user.name}`;
}

function fetched() {
  return new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
}

/** How many calls it has made in how many ms. */
export function stopWork() {
  clearTimeout(timer);
  return { calls, ms: performance.now() - started };
}
