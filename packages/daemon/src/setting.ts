import type { Kind } from "./kind.ts";

/** One thing an operator can set. Without a default and not optional, it is required. */
export interface Setting<T = unknown> {
  /** Its environment variable; in the file the same without the prefix, in lower case. */
  readonly name: `DROVER_${string}`;
  readonly kind: Kind<T>;
  /** What it means, as a sentence for the table in the docs. */
  readonly doc: string;
  /** Written as an operator would write it. */
  readonly default?: string | number | boolean;
  /** Its value is undefined when nobody sets it. */
  readonly optional?: true;
  /** Its value never appears in a message or a log. */
  readonly secret?: boolean;
}

export type Settings = Readonly<Record<string, Setting>>;

/** The values of settings, under the names by which the code knows them. */
export type SettingValues<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { readonly optional: true } ? ValueOf<S[K]> | undefined : ValueOf<S[K]>;
};

type ValueOf<S extends Setting> = S["kind"] extends Kind<infer T> ? T : never;

/** The setting that names the file which holds the others; every app has it. */
export const configFileName = "DROVER_CONFIG";

/** The key of a setting in the file: DROVER_LOG_LEVEL is log_level. */
export function fileKey(name: string): string {
  return name.replace(/^DROVER_/, "").toLowerCase();
}

/** Whether a name is one of these; a name that ends in `*` stands for all that begin so. */
export function matchesName(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern));
}
