/* A program that knows nothing of holdfast, and fails unheard: `node unheard.mjs LISTENERS…`. */

const listeners = {
  rejection: () => process.on("unhandledRejection", ({ message }) => console.log("heard", message)),
  once: () => process.once("unhandledRejection", ({ message }) => console.log("heard once", message)),
  removed: () => {
    const listener = () => console.log("never");
    process.on("unhandledRejection", listener);
    process.off("unhandledRejection", listener);
  },
  allRemoved: () => {
    process.on("unhandledRejection", () => console.log("never"));
    process.removeAllListeners("unhandledRejection");
  },
  exception: () => process.on("uncaughtException", ({ message }, origin) => console.log(origin, message)),
  throws: () =>
    process.on("unhandledRejection", () => {
      throw new Error("from the listener");
    }),
};
for (const name of process.argv.slice(2)) listeners[name]();

const turn = () => new Promise(setImmediate);
const fail = (message) => void Promise.reject(new Error(message));
fail("first");
await turn();
fail("second");
await turn();
console.log("went on");
