import { hasOtherNodes, installPrograms } from "../../scripts/programs.ts";

/** Brings the Nodes that are looked at. */
export function setup(): void {
  if (hasOtherNodes) installPrograms();
}
