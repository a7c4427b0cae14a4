import { describe, expect, test, vi } from "vitest";
import { openScope } from "../../src/core/index.ts";
import { gateOf, intakeOf } from "../../src/core/intake.ts";

/** A scope whose two steps are noted down. */
function noted(steps: string[], name = "app") {
  const scope = openScope(name);
  const intake = intakeOf(scope);
  intake.onNotReady(() => steps.push("not ready"));
  intake.onStop(() => steps.push("stop"));
  return { scope, intake };
}

describe("the intake of a scope", () => {
  test("is open, and always the same one", async () => {
    const scope = openScope("app");
    expect(intakeOf(scope)).toBe(intakeOf(scope));
    expect(intakeOf(scope)).toMatchObject({ isReady: true, isOpen: true });
    await scope.close();
  });

  test("takes both steps, in order, when the scope is closed without main()", async () => {
    const steps: string[] = [];
    const { scope, intake } = noted(steps);
    const closed = scope.close({ drain: "1s" });
    expect(intake).toMatchObject({ isReady: false, isOpen: false });
    await closed;
    expect(steps).toEqual(["not ready", "stop"]);
  });

  test("takes the steps one by one for whoever runs the shutdown, each once", async () => {
    const steps: string[] = [];
    const { scope, intake } = noted(steps);
    const gate = gateOf(scope);
    gate.sayNotReady();
    gate.sayNotReady();
    expect(intake).toMatchObject({ isReady: false, isOpen: true });
    expect(steps).toEqual(["not ready"]);
    await Promise.all([gate.stop(), gate.stop()]);
    await scope.close();
    expect(steps).toEqual(["not ready", "stop"]);
  });

  test("waits for the hooks, and reports the one that fails", async () => {
    const reported = vi.spyOn(console, "error").mockReturnValue();
    const scope = openScope("app");
    const done: string[] = [];
    intakeOf(scope).onStop(() => Promise.reject(new Error("still open")));
    intakeOf(scope).onStop(async () => {
      await Promise.resolve();
      done.push("stopped");
    });
    await gateOf(scope).stop();
    expect(done).toEqual(["stopped"]);
    expect(reported).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("app"), new Error("still open"));
    await scope.close();
    reported.mockRestore();
  });

  test("follows the scope around it, and its own", async () => {
    const root = openScope("app");
    const [first, second] = [root.scope("first"), root.scope("second")];
    await first.close();
    expect(intakeOf(first).isReady).toBe(false);
    expect(intakeOf(second).isReady).toBe(true);
    expect(intakeOf(root).isReady).toBe(true);
    gateOf(root).sayNotReady();
    expect(intakeOf(second)).toMatchObject({ isReady: false, isOpen: true });
    expect(intakeOf(root.scope("third"))).toMatchObject({ isReady: false, isOpen: true });
    await gateOf(root).stop();
    expect(intakeOf(second).isOpen).toBe(false);
    await root.close();
  });

  test("calls late comers in a microtask, and not those who left", async () => {
    const steps: string[] = [];
    const { scope, intake } = noted(steps);
    const leave = intake.onStop(() => steps.push("left"));
    leave();
    await scope.close();
    intake.onNotReady(() => steps.push("late: not ready"));
    intake.onStop(() => steps.push("late: stop"));
    intake.onStop(() => steps.push("late: left"))();
    expect(steps).toHaveLength(2);
    await Promise.resolve();
    expect(steps).toEqual(["not ready", "stop", "late: not ready", "late: stop"]);
  });

  test("leaves nothing at the scope around it when it ends", async () => {
    const root = openScope("app");
    const adds = vi.spyOn(gateOf(root), "onStop");
    const leaves: number[] = [];
    adds.mockImplementation(() => () => leaves.push(1));
    const inner = root.scope("request");
    intakeOf(inner);
    await inner.close();
    expect(adds).toHaveBeenCalledOnce();
    expect(leaves).toHaveLength(1);
    await root.close();
  });
});
