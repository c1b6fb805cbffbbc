/** Counters that GetMetrics tells under names of its own, and the series that know them. */
const told: Readonly<Record<string, string>> = {
  tasks_tracked_total: "queue_tasks_submitted_total",
  tasks_pending: "env_queue_depth",
  tasks_running: "orchestrator_inflight_tasks",
  tasks_completed: "queue_tasks_completed_total",
};

/**
 * The series that GetMetrics answers: all, or those asked for. A name selects every series of a metric, a histogram's
 * parts included; a series with its labels selects that one.
 */
export function selectSeries(
  series: Readonly<Record<string, number>>,
  names: readonly string[],
): Record<string, number> {
  const all = {
    ...series,
    ...Object.fromEntries(Object.entries(told).map(([name, source]) => [name, series[source] ?? 0])),
  };
  if (names.length === 0) return all;
  const wanted = new Set(names);
  return Object.fromEntries(
    Object.entries(all).filter(([key]) => {
      const name = key.split("{", 1)[0] ?? key;
      return wanted.has(key) || wanted.has(name) || wanted.has(name.replace(/_(?:bucket|sum|count)$/, ""));
    }),
  );
}
