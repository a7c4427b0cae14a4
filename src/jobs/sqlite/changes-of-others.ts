import { type FSWatcher, watch } from "node:fs";

import type { EngineClock } from "../engine.ts";
import { type Database, rowOf, type Statement } from "./driver.ts";

/** At most one look in so many ms, however much is written. */
const PAUSE = 5;
/** A look now and then, should the system have lost an event. */
const IDLE = 1000;
/** The same where the system tells nothing. */
const IDLE_UNWATCHED = 100;

/**
 * Notices what other processes write. The system says that the log of the database has changed, SQLite's
 * `data_version` whether somebody else did it. Keeps no process alive.
 */
export class ChangesOfOthers {
  readonly #clock: EngineClock;
  readonly #onChange: () => void;
  readonly #onTrouble: (error: unknown) => void;
  readonly #version: Statement;
  #seen: number;
  #watcher: FSWatcher | undefined;
  #cancelLook: (() => void) | undefined;
  #cancelIdle: (() => void) | undefined;
  #lastLook = -Infinity;
  #isClosed = false;
  #isInTrouble = false;

  constructor(
    db: Database,
    file: string,
    clock: EngineClock,
    onChange: () => void,
    onTrouble: (error: unknown) => void,
  ) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#onTrouble = onTrouble;
    this.#version = db.prepare("PRAGMA data_version");
    this.#seen = this.#read();
    try {
      this.#watcher = watch(`${file}-wal`, { persistent: false }, () => this.#soon());
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      // No more watches are to be had, or this file system has none.
      this.#unwatch();
    }
    this.#idle();
  }

  close(): void {
    this.#isClosed = true;
    this.#unwatch();
    this.#cancelLook?.();
    this.#cancelIdle?.();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #soon(): void {
    if (this.#cancelLook !== undefined || this.#isClosed) return;
    const since = this.#clock.now() - this.#lastLook;
    if (since >= PAUSE) {
      this.#look();
      return;
    }
    this.#cancelLook = this.#clock.later(
      PAUSE - since,
      () => {
        this.#cancelLook = undefined;
        this.#look();
      },
      true,
    );
  }

  #idle(): void {
    this.#cancelIdle = this.#clock.later(
      this.#watcher === undefined ? IDLE_UNWATCHED : IDLE,
      () => {
        this.#look();
        if (!this.#isClosed) this.#idle();
      },
      true,
    );
  }

  #look(): void {
    if (this.#isClosed) return;
    this.#lastLook = this.#clock.now();
    try {
      const version = this.#read();
      this.#isInTrouble = false;
      if (version === this.#seen) return;
      this.#seen = version;
    } catch (error) {
      if (!this.#isInTrouble) this.#onTrouble(error);
      this.#isInTrouble = true;
      return;
    }
    this.#onChange();
  }

  #read(): number {
    return rowOf<{ data_version: number }>(this.#version)?.data_version ?? 0;
  }
}
