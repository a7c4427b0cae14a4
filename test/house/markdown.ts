import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The repository. Ends with a slash. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** One fenced block of a page. */
export interface Block {
  /** From the root of the repository: `docs/errors.md`. */
  readonly page: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  /** `js`, `ts`, `text`… */
  readonly language: string;
  readonly code: string;
  /** What a ```text block right below it says that it prints; undefined where there is none. */
  readonly output: string | undefined;
}

/** A page of ours. */
export interface Page {
  readonly path: string;
  readonly text: string;
  /** The text without its code, fenced or not: what reads like a link in there is none. */
  readonly prose: string;
  readonly blocks: readonly Block[];
}

/** Every Markdown page of the repository, however deep. */
export function pages(): Page[] {
  const found: Page[] = [];
  const open = [""];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const entry of readdirSync(root + folder, { withFileTypes: true })) {
      const path = folder + entry.name;
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name) && !entry.name.startsWith(".")) open.push(`${path}/`);
      } else if (entry.name.endsWith(".md")) found.push(toPage(path, readFileSync(root + path, "utf8")));
    }
  }
  return found.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const SKIPPED = new Set(["node_modules", "dist", "coverage"]);

/** Takes a page apart. */
export function toPage(path: string, text: string): Page {
  const fence = /^```(?<language>\w*)[^\n]*\n(?<code>[\s\S]*?)^```$/gm;
  const matches = [...text.matchAll(fence)];
  const blocks = matches.map((match, index): Block => {
    const { language = "", code = "" } = match.groups ?? {};
    const next = matches[index + 1];
    const between = next && text.slice(match.index + match[0].length, next.index);
    const isOutput = next?.groups?.["language"] === "text" && !between?.trim().includes("\n");
    return {
      page: path,
      line: text.slice(0, match.index).split("\n").length + 1,
      language,
      code,
      output: isOutput ? next?.groups?.["code"] : undefined,
    };
  });
  return { path, text, prose: text.replace(fence, "").replaceAll(/`[^`\n]*`/g, ""), blocks };
}

/** Where the links of a page lead that stay in the repository: a path as written, and what follows `#`. */
export function* linksOf(page: Page): Generator<{ readonly path: string; readonly anchor: string }> {
  for (const [, target = ""] of page.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path = "", anchor = ""] = target.split("#");
    yield { path, anchor };
  }
}

/** The names by which the headings of a page are linked to. */
export function anchorsOf(page: Page): Set<string> {
  const text = page.text.replaceAll(/^```[\s\S]*?^```$/gm, "");
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
