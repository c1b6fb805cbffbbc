import { StringDecoder } from "node:string_decoder";

interface Layer {
  status: string;
  currentBytes: number;
  totalBytes: number;
  /** Of the download. */
  loadedBytes: number;
}

/** How far a pull is, over all layers that have a size. */
export interface PullState {
  phase: "downloading" | "extracting";
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
export function createPullProgress(tell: (text: string, state: PullState) => void): PullProgress {
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
    layers.set(event.id, follow(before, event.layer));
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
        const state = sum(loading);
        tell(hasSize ? textOf(state) : ([...layers.values()].at(-1)?.status ?? ""), state);
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
  const layer = {
    status: String(status),
    currentBytes: Number(current ?? 0),
    totalBytes: Number(total ?? 0),
    loadedBytes: 0,
  };
  return { id: String(id), layer, error: typeof error === "string" ? error : undefined };
}

/** Only reports on a transfer carry sizes; what came before them stays true. */
function follow(before: Layer | undefined, layer: Layer): Layer {
  const totalBytes = layer.totalBytes || (before?.totalBytes ?? 0);
  const isLoading = layer.status.startsWith("Downloading") || layer.status.startsWith("Retrying");
  const isLoaded = isLoading ? false : loadedStatuses.some((status) => layer.status.startsWith(status));
  const loadedBytes = isLoaded ? totalBytes : isLoading ? layer.currentBytes : (before?.loadedBytes ?? 0);
  return { ...layer, totalBytes, loadedBytes };
}

const loadedStatuses = ["Verifying", "Download complete", "Extracting", "Pull complete"];

function sum(layers: Layer[]): PullState {
  const currentBytes = layers.reduce((bytes, layer) => bytes + layer.loadedBytes, 0);
  const totalBytes = layers.reduce((bytes, layer) => bytes + layer.totalBytes, 0);
  return {
    phase: totalBytes > 0 && currentBytes >= totalBytes ? "extracting" : "downloading",
    currentBytes,
    totalBytes,
  };
}

function textOf({ currentBytes, totalBytes }: PullState): string {
  return `${(currentBytes / 1_000_000).toFixed(1)} of ${(totalBytes / 1_000_000).toFixed(1)} MB`;
}
