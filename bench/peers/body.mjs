/** What every operation runs: the same function for all, so that only what is around it differs. */
export async function body() {}

/** How many operations are under way at once where they come in bursts. */
export const BURST = 1_000;

/** Long enough that no sleeper wakes by itself while it is measured. */
export const HOUR = 3_600_000;

/** Resolvers of those who are parked: one heap for all, as a library's own timer heap would be, without a timer. */
let parked = [];
const park = (resolve) => {
  parked.push(resolve);
};

/** A sleep without timers, for those who bring none of their own: the least that a sleep can be. */
export const untilReleased = () => new Promise(park);

/** Ends all such sleeps, and resolves when those who slept have gone on. */
export async function release() {
  const sleepers = parked;
  parked = [];
  for (const resolve of sleepers) resolve();
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
