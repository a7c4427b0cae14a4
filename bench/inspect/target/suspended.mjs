/** What nobody ever settles; kept, since a function is collected when nothing can let it go on. */
const parked = [];

const park = () =>
  new Promise((resolve) => {
    parked.push(resolve);
  });

/*
 * What a service has in flight, in groups of ten suspended functions: handlers that await what they call, methods,
 * arrow functions, `Promise.all`, an async generator.
 */

class Store {
  async find(id) {
    const found = await this.query(id);
    return found;
  }

  async query(id) {
    try {
      return await park();
    } catch (error) {
      throw new Error(`query ${id}`, { cause: error });
    }
  }

  async *rows(id) {
    for (;;) yield await this.query(id);
  }
}

const store = new Store();

async function handle(id) {
  const [orders, account] = await Promise.all([ordersOf(id), accountOf(id)]);
  return { orders, account };
}

async function ordersOf(id) {
  const orders = [];
  for await (const row of store.rows(id)) orders.push(row);
  return orders;
}

const accountOf = async (id) => {
  const account = await store.find(id);
  return account;
};

async function consume(id) {
  for (;;) await deliver(id);
}

const deliver = async (id) => {
  await push(id).catch(() => {});
};

async function push() {
  await park();
}

const GROUP = 10;

/** Has so many functions suspended when it returns: up to their last `await` they run at once. */
export function suspend(functions) {
  for (let id = 0; id < functions / GROUP; id++) {
    void handle(id);
    void consume(id);
  }
}
