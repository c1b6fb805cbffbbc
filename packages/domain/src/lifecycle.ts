/** The life of a noun as one table: its states, and the moves between them. */
export interface Lifecycle {
  states: Readonly<Record<string, { isFinal: boolean; meaning: string }>>;
  /** `from: null` is the moment before the first state. A cause names what happened, not who did it. */
  transitions: readonly { cause: string; from: string | null; to: string; meaning: string }[];
}

/** A life as a Mermaid state diagram, one arrow per pair of states. */
export function renderLifecycle({ states, transitions }: Lifecycle): string {
  const arrows = new Map<string, Set<string>>();
  for (const { cause, from, to } of transitions) {
    const arrow = `${from ?? "[*]"} --> ${to}`;
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(cause));
  }
  return [
    "stateDiagram-v2",
    ...Object.entries(states).map(([state, { meaning }]) => `  ${state}: ${state}<br/>${meaning}`),
    ...[...arrows].map(([arrow, causes]) => `  ${arrow}: ${[...causes].join(", ")}`),
    ...Object.entries(states).flatMap(([state, { isFinal }]) => (isFinal ? [`  ${state} --> [*]`] : [])),
    "",
  ].join("\n");
}
