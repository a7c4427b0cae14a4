import pg from "pg";

let made = 0;

/** A database of one's own on a server. */
export async function newDatabase(url) {
  const name = `bench_${process.pid}_${++made}`;
  await ask(url, `CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return {
    url: own.href,
    ask: (text) => ask(own.href, text),
    remove: () => ask(url, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** Asks once, through a connection of its own; resolves with the rows. */
async function ask(url, text) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(text);
    return rows;
  } finally {
    await client.end();
  }
}
