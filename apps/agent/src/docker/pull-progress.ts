import { StringDecoder } from "node:string_decoder";

interface Layer {
  status: string;
  currentBytes: number;
  totalBytes: number;
}

export interface PullProgress {
  /** Reads a piece of the engine's report; true where the pull moved on. */
  push(chunk: Buffer): boolean;
  /** What the engine reported as the reason to give up. */
  readonly error: string | undefined;
}

const tellEveryMs = 1000;

/** Reads the engine's report on a pull (JSON lines) and tells its sum, at most once a second. */
export function createPullProgress(tell: (text: string) => void): PullProgress {
  const decoder = new StringDecoder("utf8");
  const layers = new Map<string, Layer>();
  let rest = "";
  let error: string | undefined;
  let hasSize = false;
  let lastToldAt = Number.NEGATIVE_INFINITY;

  const read = (line: string): boolean => {
    const event = parseEvent(line);
    if (event === undefined) return false;
    error = event.error ?? error;
    const before = layers.get(event.id);
    layers.set(event.id, event.layer);
    // The engine's own retries are no progress.
    if (event.layer.status.startsWith("Retrying")) return false;
    return (
      before === undefined || before.status !== event.layer.status || before.currentBytes !== event.layer.currentBytes
    );
  };

  return {
    push(chunk) {
      const lines = (rest + decoder.write(chunk)).split("\n");
      rest = lines.pop() ?? "";
      const hasMoved = lines.map(read).includes(true);
      const loading = [...layers.values()].filter(({ totalBytes }) => totalBytes > 0);
      // The first sight of the size is told at once: nothing may follow for long.
      const isDue = performance.now() - lastToldAt >= tellEveryMs || (!hasSize && loading.length > 0);
      if (hasMoved && isDue) {
        lastToldAt = performance.now();
        hasSize = loading.length > 0;
        tell(hasSize ? sum(loading) : ([...layers.values()].at(-1)?.status ?? ""));
      }
      return hasMoved;
    },
    get error() {
      return error;
    },
  };
}

function parseEvent(line: string): { id: string; layer: Layer; error: string | undefined } | undefined {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined; // A blank line, or what is left of a broken stream.
  }
  if (typeof event !== "object" || event === null) return undefined;
  const { id = "", status = "", error, progressDetail = {} } = event as Record<string, unknown>;
  const { current, total } = (progressDetail ?? {}) as Record<string, unknown>;
  const layer = { status: String(status), currentBytes: Number(current ?? 0), totalBytes: Number(total ?? 0) };
  return { id: String(id), layer, error: typeof error === "string" ? error : undefined };
}

function sum(layers: Layer[]): string {
  const megabytes = (pick: (layer: Layer) => number): string =>
    (layers.reduce((bytes, layer) => bytes + pick(layer), 0) / 1_000_000).toFixed(1);
  return `${megabytes((layer) => layer.currentBytes)} of ${megabytes((layer) => layer.totalBytes)} MB`;
}
