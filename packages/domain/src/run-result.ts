/** What an attempt left behind (JSON; the compatible interfaces render it from this). */
export interface RunResult {
  exitCode: number | null;
  durationMs: number;
  outputs: RunOutput[];
  /** Parsed contents of the JSON outputs, by file name; by path where two outputs share one. */
  outputsSummary: Record<string, unknown>;
  /** The last 4096 bytes of each stream. */
  stdoutTail: string;
  stderrTail: string;
  /** JSON after `__DSPY_RESULT__:` on a line of stdout. */
  runnerOutput?: unknown;
  workingDir: string;
}

/** A file that an attempt left; `checksum` is "sha256:" and hex digits. */
export interface RunOutput {
  path: string;
  type?: string;
  name?: string;
  sizeBytes: number;
  checksum: string;
}
