import type { FindingWords } from "../core/info.ts";
import type { ScopeNode } from "../core/scope-node.ts";
import { HIDDEN } from "../core/task-node.ts";
import type { TaskNode } from "../core/task-node.ts";
import { visitTasks } from "../core/walk.ts";
import type { WatchSettings } from "./options.ts";
import { inWords } from "./words.ts";

/** What is known of one name. */
interface Course {
  live: number;
  /** At the beginning of the rise. */
  from: number;
  /** In how many windows in a row there were more. */
  rises: number;
  isTold: boolean;
}

/** Finds names of which ever more tasks live: in so many windows in a row. */
export class Growth {
  readonly #scope: ScopeNode;
  readonly #settings: NonNullable<WatchSettings["growing"]>;
  readonly #courses = new Map<string, Course>();
  #nextAt: number | undefined;

  constructor(scope: ScopeNode, settings: NonNullable<WatchSettings["growing"]>) {
    this.#scope = scope;
    this.#settings = settings;
  }

  /** To be called at every sweep; looks once in each window. */
  look(at: number): (readonly [TaskNode, FindingWords])[] {
    if (this.#nextAt !== undefined && at < this.#nextAt) return [];
    this.#nextAt = at + this.#settings.window;
    const grown = new Map<string, Course>();
    for (const [name, { live }] of this.#scope.ledger.counts) {
      const course = this.#courses.get(name);
      if (course === undefined) this.#courses.set(name, { live, from: live, rises: 0, isTold: false });
      else if (this.#hasGrown(course, live)) grown.set(name, course);
    }
    return grown.size === 0 ? [] : this.#tell(grown);
  }

  #hasGrown(course: Course, live: number): boolean {
    if (live > course.live) course.rises++;
    else {
      course.rises = 0;
      course.from = live;
      course.isTold = false;
    }
    course.live = live;
    const { windows, atLeast } = this.#settings;
    if (course.rises < windows || live < atLeast || course.isTold) return false;
    course.isTold = true;
    return true;
  }

  /** Of each name the oldest task, which has been there for longest. */
  #tell(grown: ReadonlyMap<string, Course>): (readonly [TaskNode, FindingWords])[] {
    const oldest = new Map<string, TaskNode>();
    visitTasks(this.#scope, (node) => {
      if ((node.flags & HIDDEN) !== 0 || !grown.has(node.name)) return;
      const known = oldest.get(node.name);
      // Ids count up: the lowest is the oldest.
      if (known === undefined || node.id < known.id) oldest.set(node.name, node);
    });
    return [...oldest].map(([name, node]) => {
      const { from, live, rises } = grown.get(name) as Course;
      const time = inWords(rises * this.#settings.window);
      return [
        node,
        {
          finding: "growing",
          what: `is the oldest of ${live} tasks of its name, which were ${from} ${time} ago and have become more ever since`,
          advice: "bound how many may run, and look at what they wait for",
        },
      ] as const;
    });
  }
}
