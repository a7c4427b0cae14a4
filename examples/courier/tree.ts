import type { ScopeTree, TaskTree } from "holdfast";

/** The live tree as text: scopes end in a slash, tasks say their state and age, and what they are about. */
export function draw(scope: ScopeTree, now = Date.now()): string {
  const lines = [`${scope.name}/`];
  branch(scope, "", lines, now);
  return `${lines.join("\n")}\n`;
}

function branch(node: ScopeTree | TaskTree, indent: string, lines: string[], now: number): void {
  const below = [...node.tasks, ...node.scopes];
  below.forEach((child, n) => {
    const isLast = n === below.length - 1;
    const words = "attempt" in child ? describe(child, now) : `${child.name}/`;
    lines.push(`${indent}${isLast ? "└─" : "├─"} ${words}`);
    branch(child, `${indent}${isLast ? "  " : "│ "} `, lines, now);
  });
}

function describe({ name, state, attempt, createdAt, attributes }: TaskTree, now: number): string {
  const { event, url, request } = attributes as Readonly<Record<string, string | undefined>>;
  // Each attempt at a job is a task of its own, which says the how manieth it is.
  const nth = Number(attributes["attempt"] ?? attempt);
  const words = [
    `${name}: ${state}`,
    nth > 1 && `attempt ${nth}`,
    `${((now - createdAt) / 1000).toFixed(1)} s`,
    url === undefined ? event : `${event} → ${url}`,
    request !== undefined && `from ${request}`,
  ];
  return words.filter(Boolean).join(", ");
}
