import { expect, test } from "vitest";

import { hasOtherNodes, inspectedNodes } from "../../../scripts/programs.ts";
import { runPrograms, tableOf } from "./suite.ts";

/** So many programs a Node in every run; `npm run test:truth` takes thousands. */
const PROGRAMS = 200;
/** For the thousands, too. */
const LONG = 3_600_000;

test.skipIf(!hasOtherNodes).each(inspectedNodes)(
  "the dump of random programs is what they and V8 say of themselves, on %s",
  async (name) => {
    const { differences, summary, features } = await runPrograms(name, PROGRAMS);
    console.log(`${summary}\n${tableOf(features)}`);
    expect(differences).toEqual([]);
  },
  LONG,
);
