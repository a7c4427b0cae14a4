import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { can } from "../inspect/programs.ts";
import { faults } from "../agent/ask.ts";
import { pidOf, Place } from "./seen.ts";

const isLinux = process.platform === "linux";
const OTHER = ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups"];
const canPlayUsers =
  isLinux &&
  process.getuid?.() === 0 &&
  can(OTHER[0] ?? "", ...OTHER.slice(1), process.execPath, "-p", "1") &&
  can(OTHER[0] ?? "", ...OTHER.slice(1), "test", "-r", import.meta.filename);

describe("looking at a process from another one", () => {
  test("ps finds it, with how it does; by pid or by name the others tell what it runs", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const pid = pidOf(child);

    const { stdout } = await place.run("ps");
    expect(stdout).toMatch(/^ *PID +AGE +TASKS +FINDINGS +LOOP P99 +NAME\n/);
    expect(stdout).toMatch(new RegExp(`^ *${pid} +[\\d.]+ m?s +37 +0 +[\\d.]+ ms +courier$`, "m"));

    const tree = await place.run("tree", "courier", "--each", "3");
    expect(tree).toMatchObject({ code: 0, stderr: "" });
    expect(tree.stdout).toMatch(
      /^courier\/\n├─ poller #\d+ running [\d.]+ m?s\n├─ mail #\d+ running .* {2}key mail:7\n/,
    );
    expect(tree.stdout).toContain("deliveries/ to=partners\n");
    expect(tree.stdout).toMatch(/deliver #\d+ running [\d.]+ m?s {2}url=http:\/\/example.com\/0\n/);
    expect(tree.stdout).toContain("… 27 more tasks: deliver × 27\n");
    const whole = (await place.run("tree", String(pid))).stdout;
    expect(whole).toMatch(/├─ batch .*\n│ {2}├─ part .* {2}3\/10 pages\n│ {2}└─ inner\/\n│ {5}└─ leaf /);

    const tasks = await place.run("tasks", "courier", "--limit", "2", "--name", "deliver");
    expect(tasks.stdout).toMatch(/^ID +STATE +AGE +TASK\n/);
    expect(tasks.stdout.split("\n")).toHaveLength(5);
    expect(tasks.stdout).toContain("… there are more: --limit\n");

    expect((await place.run("findings", "courier")).stdout).toBe(
      "nothing is wrong, as far as the watch sees\n",
    );
    expect((await place.run("stats", "courier")).stdout).toMatch(
      /^courier is open: 38 spawned, 37 live \(0 waiting\)\nLIVE +OK .*\n +30 +0 +0 +0 +0 +0 +- +- +deliver\n/,
    );
  });

  test("check looks at once, and with --gc finds what nothing can settle any more", async () => {
    const place = new Place();
    await place.start("courier", "loses");
    expect(await place.run("check", "courier")).toMatchObject({
      code: 0,
      stdout: "nothing is wrong, as far as the watch sees\n",
    });
    // A task that is younger than a sweep is not looked at.
    let found = await place.run("check", "courier", "--gc");
    while (found.code === 0) found = await place.run("check", "courier", "--gc");
    expect(found.stdout).toMatch(/^lost courier\/lost #\d+, for [\d.]+ s\n {2}let every path/);
    expect(found.stdout).toMatch(/\ncollected in \d+ ms: \d+ MB of heap before, \d+ MB after\n$/);
    expect(found.code).toBe(19);
    expect((await place.run("tree", "courier")).stdout).not.toContain("lost");
    expect(faults("Checked", await place.json("check", "courier", "--gc"))).toEqual([]);
  });

  test("--json is what the agent answers", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const schemas = { tree: "Tree", tasks: "Tasks", findings: "Findings", stats: "Stats" };
    for (const [verb, schema] of Object.entries(schemas)) {
      const answer = await place.json(verb, "courier");
      expect({ verb, faults: faults(schema, answer) }).toEqual({ verb, faults: [] });
    }
    expect(faults("Task", await place.json("tasks", "courier", "1"))).toEqual([]);
    expect(await place.json("ps", "--agents")).toMatchObject({
      schema: 1,
      processes: [{ pid: pidOf(child), name: "courier", agent: "answers", tasks: { live: 37 }, findings: 0 }],
    });
    expect((await place.run("ps", "--agents", "--quiet")).stdout).toBe(`${pidOf(child)}\n`);
  });

  test("one task is told of in full: live with what is below it, ended with its errors", async () => {
    const place = new Place();
    await place.start("courier");
    const { tasks } = (await place.json("tasks", "courier", "--name", "batch")) as {
      tasks: { id: number }[];
    };
    const batch = await place.run("tasks", "courier", `#${tasks[0]?.id}`);
    expect(batch.stdout).toMatch(/^courier\/batch #\d+\nstate +running\nage +.*\n/);
    expect(batch.stdout).toMatch(/├─ part .*\n└─ inner\/\n {3}└─ leaf/);
    await place.run("cancel", "courier", "courier/mail", "--reason", "not today");
    const { tasks: ended } = (await place.json("tasks", "courier", "--state", "cancelled")) as {
      tasks: { id: number }[];
    };
    const mail = await place.run("tasks", "courier", String(ended[0]?.id));
    expect(mail.stdout).toMatch(/^state +cancelled$/m);
    expect(mail.stdout).toMatch(/^error +.*AbortError: courier\/mail was cancelled .*not today$/m);
  });

  test("what a process calls its things does nothing to a terminal", async () => {
    const place = new Place();
    await place.start("evil\u001B[31m");
    for (const args of [
      ["ps"],
      ["tree", "evil\u001B[31m"],
      ["tasks", "evil\u001B[31m"],
      ["stats", "evil\u001B[31m"],
    ]) {
      const { stdout, code } = await place.run(...args);
      expect(code).toBe(0);
      // oxlint-disable-next-line no-control-regex -- what it looks for
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000B-\u001F]/);
      expect(stdout).toContain(String.raw`\u001b[31m`);
    }
    // Errors too.
    const task = "evil\u001B[31m/evil \u001B[31mname\u0007";
    await place.run("cancel", "evil\u001B[31m", task);
    const { code, stderr } = await place.run("cancel", "evil\u001B[31m", task);
    expect(stderr).toContain(String.raw`evil\u001b[31m/evil \u001b[31mname\u0007 (#`);
    expect(stderr).not.toContain("\u001B");
    expect(code).toBe(14);
  });

  test("events: what happens, as it happens, until the process ends", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    const follower = place.command("events", "courier", "--type", "end,state");
    await follower.untilSaid(/^[\d:.]+ {2}process \d+, courier: listening; Ctrl-C ends this\n/);
    child.process.stdin?.write("go");
    await follower.untilSaid(/^[\d:.]+ {2}end {7}courier\/talk #\d+ {2}succeeded after \d+ ms$/m);
    await place.run("drain", "courier");
    expect(await follower.ended).toEqual({ code: 0, signal: null });
    expect(follower.stdout).toMatch(/^[\d:.]+ {2}state {5}courier is draining$/m);
  });

  test("events as JSON, for as long as somebody reads", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    const reading = place.shell(
      `"$NODE" "$0" events courier --json --path courier/talk | head -2; echo "\${PIPESTATUS[0]}"`,
    );
    // Whether they listen, and whether head has gone, shows only when something is said.
    const talk = setInterval(() => child.process.stdin?.write("go"), 20);
    const { stdout } = await reading.finally(() => clearInterval(talk));
    const [hello = "", event = "", code] = stdout.split("\n");
    expect(JSON.parse(hello)).toMatchObject({ schema: 1, name: "courier" });
    expect(JSON.parse(event)).toMatchObject({ type: "spawn", task: { path: "courier/talk" } });
    expect(code).toBe("0");
  });

  test.skipIf(!can("curl", "--version"))("curl reaches it", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const { stdout } = await place.shell(`curl -s --unix-socket ${place.socketOf(child)} http://x/info`);
    expect(faults("Info", JSON.parse(stdout))).toEqual([]);
  });

  test.skipIf(!isLinux || !can("curl", "--version"))("GET /dump tells on which lines it waits", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const { stdout } = await place.shell(
      `curl -s --unix-socket ${place.socketOf(child)} "http://x/dump?filter=leaf"`,
    );
    const schema = readFileSync(new URL("../../dist/inspect/dump.schema.json", import.meta.url), "utf8");
    const validate = new Ajv2020({ allowUnionTypes: true }).compile(JSON.parse(schema) as object);
    const dump = JSON.parse(stdout) as { groups: unknown[]; target: { pid: number } };
    expect(validate(dump) ? [] : validate.errors).toEqual([]);
    expect(dump.target.pid).toBe(pidOf(child));
  });
});

describe("who is there", () => {
  test("ends by itself: the socket goes with it, and whoever follows it does not keep it", async () => {
    const place = new Place();
    const child = await place.start("short", "ends");
    const follower = place.command("events", "short");
    await follower.untilSaid(/listening/);
    child.process.stdin?.write("now");
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.stdout).toContain("ended\n");
    expect(place.sockets).toEqual([]);
    expect(await follower.ended).toEqual({ code: 0, signal: null });
    expect(follower.stdout).toMatch(/short\/short #\d+ {2}succeeded/);
  });

  test("kill -9 leaves a socket behind, which the next ps removes", async () => {
    const place = new Place();
    const child = await place.start("courier");
    await child.endBy("SIGKILL");
    expect(place.sockets).toEqual([`${pidOf(child)}.sock`]);
    expect((await place.run("ps", "--agents")).stdout).toBe("no Node process of this user\n");
    expect(place.sockets).toEqual([]);
  });

  test.skipIf(!isLinux)("without an agent a process is listed, and can only be dumped", async () => {
    const place = new Place();
    const child = await place.start("courier", "lives", { AGENT: "no" });
    expect(existsSync(place.folder)).toBe(false);
    expect((await place.run("ps")).stdout).toMatch(
      new RegExp(`^ *${pidOf(child)} +\\S+ m?s +- +- +dump only +node seen.mjs courier lives$`, "m"),
    );
    const { code, stderr } = await place.run("tree", String(pidOf(child)));
    expect(stderr).toContain(`holdfast dump ${pidOf(child)} (HF_NO_AGENT)`);
    expect(code).toBe(11);
  });

  test("a process that has stopped is silent, and keeps nobody waiting", async () => {
    const place = new Place();
    const child = await place.start("courier");
    child.kill("SIGSTOP");
    const { stdout } = await place.run("ps", "--agents");
    child.kill("SIGCONT");
    expect(stdout).toMatch(new RegExp(`^ *${pidOf(child)} .* silent +\\?$`, "m"));
    expect(stdout).toContain(`holdfast dump ${pidOf(child)}\n`);
  });

  test("of several with one name the pid has to be said", async () => {
    const place = new Place();
    const children = await Promise.all([place.start("twin", "talks"), place.start("twin", "talks")]);
    const { code, stdout, stderr } = await place.run("tree", "twin");
    expect({ code, stdout }).toEqual({ code: 15, stdout: "" });
    expect(stderr).toMatch(
      /^holdfast: 2 processes are called "twin": say which by its pid \(HF_AMBIGUOUS\)\n/,
    );
    for (const child of children) expect(stderr).toContain(`\n  ${pidOf(child)}  twin\n`);
    expect((await place.run("tree", String(pidOf(children[0])))).code).toBe(0);
  });

  test("whom nobody knows: 3, with who is there", async () => {
    const place = new Place();
    expect(await place.run("tree", "nobody")).toMatchObject({
      code: 3,
      stderr: 'holdfast: no process is called "nobody"; no process has an agent (HF_NO_SUCH_PROCESS)\n',
    });
    const child = await place.start("courier", "talks");
    expect((await place.run("tree", "nobody")).stderr).toContain(
      `; there are (HF_NO_SUCH_PROCESS)\n  ${pidOf(child)}  courier\n`,
    );
    expect((await place.run("tree", "4194305")).code).toBe(3);
  });
});

describe("who may look", () => {
  test("only the same user: the folder is 0700, the socket 0600", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    expect(lstatSync(place.folder).mode & 0o777).toBe(0o700);
    expect(lstatSync(place.socketOf(child)).mode & 0o777).toBe(0o600);
  });

  test.skipIf(!canPlayUsers)(
    "another user cannot connect, be it that the folder could be entered",
    async () => {
      const place = new Place();
      const child = await place.start("courier", "talks");
      chmodSync(place.runtime, 0o755);
      const code = `require("node:net").connect(${JSON.stringify(place.socketOf(child))})
      .on("connect", () => console.log("connected")).on("error", (error) => console.log(error.code))`;
      const connect = `${OTHER.join(" ")} "$NODE" -e '${code}'`;
      expect((await place.shell(connect)).stdout).toBe("EACCES\n");
      chmodSync(place.folder, 0o755);
      expect((await place.shell(connect)).stdout).toBe("EACCES\n");
    },
  );

  test.skipIf(!canPlayUsers)(
    "a folder of another user's is used by nobody: the program runs, and warns once",
    async () => {
      const place = new Place();
      mkdirSync(place.folder, { mode: 0o700 });
      chownSync(place.folder, 61_001, 61_001);
      const child = place.launch("courier", "talks");
      await child.untilSaid(/^ready/m);
      await child.untilSaid(/\[HF_NO_AGENT\] HoldfastWarning: .*holdfast-seen.*belongs to user 61001/);
      const { code, stderr } = await place.run("ps");
      expect(stderr).toMatch(/^holdfast: .* belongs to user 61001, .* \(HF_FOLDER_REFUSED\)\n$/);
      expect(code).toBe(16);
      expect((await child.endBy("SIGTERM")).code).toBe(0);
      expect(child.stderr.match(/HF_NO_AGENT/g)).toHaveLength(1);
    },
  );

  test("a folder that others can use is refused", async () => {
    const place = new Place();
    mkdirSync(place.folder);
    chmodSync(place.folder, 0o777);
    const { code, stderr } = await place.run("tree", "courier");
    expect(stderr).toContain(`chmod 700 ${place.folder} (HF_FOLDER_REFUSED)`);
    expect(code).toBe(16);
  });
});
