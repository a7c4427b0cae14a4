import type { ScopeNode } from "./scope-node.ts";

/** The roots that are not closed: from here everything that lives can be reached. */
export const roots: Set<ScopeNode> = new Set<ScopeNode>();
