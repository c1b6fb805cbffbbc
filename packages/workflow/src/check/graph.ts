/** For each node the nodes that it needs, by their numbers. */
export type Needs = readonly (readonly number[])[];

/** Which nodes are upstream of which, by any number of edges. */
export interface Upstream {
  has(node: number, other: number): boolean;
}

/** An order in which every node stands behind all that it needs, or one circle. Takes any depth: there is no recursion. */
export function sortGraph(needs: Needs): { order: number[] } | { circle: number[] } {
  const state = new Uint8Array(needs.length);
  const order: number[] = [];
  for (let root = 0; root < needs.length; root++) {
    const path = state[root] === 0 ? [{ node: root, next: 0 }] : [];
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      state[top.node] = 1;
      const need = needs[top.node]?.[top.next];
      top.next += 1;
      if (need === undefined) {
        state[top.node] = 2;
        order.push(top.node);
        path.pop();
      } else if (state[need] === 1) {
        const nodes = path.map(({ node }) => node);
        return { circle: nodes.slice(nodes.indexOf(need)) };
      } else if (state[need] === 0) path.push({ node: need, next: 0 });
    }
  }
  return { order };
}

/** Collects who is upstream of whom, node by node in the order of `sortGraph`: one bit for each pair. */
export function createUpstream(size: number): Upstream & { add(node: number, need: number): void } {
  const words = Math.ceil(size / 32);
  const rows = Array.from<Uint32Array | undefined>({ length: size });
  const rowOf = (node: number): Uint32Array => (rows[node] ??= new Uint32Array(words));
  return {
    has: (node, other) => (((rows[node]?.[other >> 5] ?? 0) >>> (other & 31)) & 1) === 1,
    add(node, need) {
      const row = rowOf(node);
      rows[need]?.forEach((bits, word) => (row[word] = (row[word] ?? 0) | bits));
      row[need >> 5] = (row[need >> 5] ?? 0) | (1 << (need & 31));
    },
  };
}
