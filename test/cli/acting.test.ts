import { describe, expect, test } from "vitest";
import { pidOf, Place } from "./seen.ts";

describe("holdfast cancel", () => {
  test("cancels a task of another process, and waits for its clean-up", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const { code, stdout } = await place.run("cancel", "courier", "courier/mail", "--reason", "not today");
    expect(stdout).toMatch(/^courier\/mail #\d+ cancelled after [\d.]+ m?s\n$/);
    expect(code).toBe(0);
    await child.untilSaid(/mail cleaned up/);
    expect(await place.run("cancel", "courier", "courier/mail")).toMatchObject({
      code: 14,
      stdout: "",
      stderr: expect.stringMatching(
        /courier\/mail \(#\d+\) has ended: cancelled \(HF_TASK_ENDED\)\n$/,
      ) as string,
    });
  });

  test("of several at one path it asks which, or takes all", async () => {
    const place = new Place();
    await place.start("courier");
    const { code, stderr } = await place.run("cancel", "courier", "courier/deliveries/deliver");
    expect(code).toBe(15);
    expect(stderr).toMatch(
      /^holdfast: the path "courier\/deliveries\/deliver" fits 30 tasks: say which by its id, or --all \(HF_AMBIGUOUS\)\n {2}#\d+ {2}courier\/deliveries\/deliver {2}running\n/,
    );
    const id = /#(\d+)/.exec(stderr)?.[1] ?? "";
    expect((await place.run("cancel", "courier", id)).code).toBe(0);
    const all = await place.run("cancel", "courier", "courier/deliveries/deliver", "--all");
    expect(all.stdout.trimEnd().split("\n")).toHaveLength(29);
  });

  test("what would not stop ends with a code of its own", async () => {
    const place = new Place();
    await place.start("courier");
    const { code, stdout } = await place.run("cancel", "courier", "courier/stubborn");
    expect(stdout).toMatch(/abandoned after .*: it did not stop within its grace, and was given up\n$/);
    expect(code).toBe(18);
  });

  test("a name alone is answered with the paths that it may mean", async () => {
    const place = new Place();
    await place.start("courier");
    const { code, stderr } = await place.run("cancel", "courier", "leaf");
    expect(stderr).toMatch(
      /^holdfast: no live task has the path "leaf"; there is \(HF_NO_TASK\)\n {2}#\d+ {2}courier\/batch\/inner\/leaf {2}running\n$/,
    );
    expect(code).toBe(13);
  });
});

describe("holdfast drain", () => {
  test("ends the process with 0, waits for that, and the socket goes", async () => {
    const place = new Place();
    const child = await place.start("courier");
    const { code, stdout } = await place.run("drain", "courier");
    expect(stdout).toMatch(
      new RegExp(`^process ${pidOf(child)} \\(courier\\) drains: 37 live tasks\\ncourier is draining\\n`),
    );
    expect(stdout).toMatch(new RegExp(`\\nprocess ${pidOf(child)} has ended\\n$`));
    expect(code).toBe(0);
    const end = await child.ended;
    expect(child.report).toMatchObject({ cause: "requested", reason: "holdfast drain" });
    // One of its tasks would not stop.
    expect(end).toEqual({ code: 1, signal: null });
    expect(place.sockets).toEqual([]);
  });

  test("the exit code of the process is its own", async () => {
    const place = new Place();
    const child = await place.start("courier", "talks");
    expect((await place.run("drain", "courier", "--no-wait", "--reason", "deploy")).code).toBe(0);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(child.report).toMatchObject({ cause: "requested", reason: "deploy", exitCode: 0 });
    expect(place.sockets).toEqual([]);
  });
});
