import type { FindingEvent, NameStats, ScopeStats } from "../core/info.ts";
import type { LoopDelay } from "./answers.ts";

/** What the figures are made of. */
export interface MetricsSource {
  readonly stats: readonly ScopeStats[];
  readonly findings: readonly FindingEvent[];
  readonly delay: LoopDelay | null;
  readonly utilization: number;
  readonly rss: number;
  readonly uptimeMs: number;
}

const ENDS = ["succeeded", "failed", "cancelled", "lost", "abandoned"] as const;

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** The text format of Prometheus (version 0.0.4), which OpenMetrics scrapers read, too. */
export function toMetrics({ stats, findings, delay, utilization, rss, uptimeMs }: MetricsSource): string {
  const names = stats.flatMap(({ path: root, names: own }) =>
    Object.entries(own).map(([name, counts]) => [{ root, name }, counts] as const),
  );
  const each = (of: (counts: NameStats) => number): Sample[] =>
    names.map(([labels, counts]) => [labels, of(counts)]);
  const kinds = new Map<string, number>();
  for (const { finding } of findings) kinds.set(finding, (kinds.get(finding) ?? 0) + 1);
  return [
    ...family(
      "holdfast_tasks_live",
      "gauge",
      "Tasks that have not ended.",
      each(({ live }) => live),
    ),
    ...family(
      "holdfast_tasks_waiting",
      "gauge",
      "Live tasks that wait for a slot, a key, a delay or their first turn.",
      stats.map(({ path: root, waiting }) => [{ root }, waiting]),
    ),
    ...family(
      "holdfast_tasks_ended_total",
      "counter",
      "Tasks that have ended, by how.",
      names.flatMap(([labels, counts]) => ENDS.map((state): Sample => [{ ...labels, state }, counts[state]])),
    ),
    ...family(
      "holdfast_tasks_late_total",
      "counter",
      "Tasks that settled after they had been given up.",
      stats.map(({ path: root, late }) => [{ root }, late]),
    ),
    ...family(
      "holdfast_task_run_seconds",
      "gauge",
      "How long tasks ran, as the upper bound of a power-of-two bucket of milliseconds.",
      names.flatMap(([labels, { p50, p99 }]): Sample[] => [
        [{ ...labels, quantile: "0.5" }, p50 / 1000],
        [{ ...labels, quantile: "0.99" }, p99 / 1000],
      ]),
    ),
    ...family(
      "holdfast_findings",
      "gauge",
      "What the watch holds to be wrong, by kind.",
      [...kinds].map(([finding, count]) => [{ finding }, count]),
    ),
    ...family(
      "holdfast_event_loop_delay_seconds",
      "gauge",
      "What timers wait beyond their time, measured while somebody is connected.",
      delay === null
        ? []
        : [
            [{ quantile: "0.5" }, delay.p50 / 1000],
            [{ quantile: "0.99" }, delay.p99 / 1000],
          ],
    ),
    ...family("holdfast_event_loop_utilization", "gauge", "Share of its life that the loop was busy.", [
      [{}, utilization],
    ]),
    ...family("holdfast_process_resident_bytes", "gauge", "Memory of the process.", [[{}, rss]]),
    ...family("holdfast_process_uptime_seconds", "gauge", "Age of the process.", [[{}, uptimeMs / 1000]]),
    "",
  ].join("\n");
}

function family(name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): string[] {
  if (samples.length === 0) return [];
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labelsOf(labels)} ${value}`),
  ];
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const entries = Object.entries(labels);
  if (entries.length === 0) return "";
  return `{${entries.map(([name, value]) => `${name}="${escape(value)}"`).join(",")}}`;
}

/** What the format asks for in the value of a label. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", String.raw`\n`);
}
