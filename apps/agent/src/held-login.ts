import type { Log } from "@drover/daemon/log";
import { isPasswordRefused, tryLogin } from "@drover/db/node/login";
import { type LoginOptions, openLogin } from "./login.ts";

/** The login of a node that runs. */
export interface HeldLogin {
  /** As it was at the start; the password may be another by now. */
  url: string;
  /** What a new connection says, once nobody is replacing it any more. Absent: what the URL says. */
  password?: () => Promise<string>;
  /** Replaces the password where it has become old. */
  renew(): Promise<void>;
  /** Whether a refusal by the database is its last word: a connection may have been begun with the former password. */
  isRefused(error: unknown): Promise<boolean>;
}

/** A login that somebody else looks after. */
export function fixedLogin(url: string): HeldLogin {
  return { url, renew: async () => {}, isRefused: async () => true };
}

/** The login in a node's file, whose password is replaced at the start and while the agent runs. */
export async function holdLogin(options: LoginOptions & { log: Log }): Promise<HeldLogin> {
  let url = await openLogin(options);
  const start = url;
  if (passwordOf(url) === undefined) return fixedLogin(url);
  let renewal: Promise<void> = Promise.resolve();
  return {
    url: start,
    async password() {
      await renewal;
      return passwordOf(url) ?? "";
    },
    renew() {
      renewal = openLogin(options).then(
        (renewed) => void (url = renewed),
        (error: unknown) => options.log.warn({ error }, "the node's login could not be looked after"),
      );
      return renewal;
    },
    async isRefused(error) {
      await renewal;
      return !isPasswordRefused(error) || (await tryLogin(url)) === "refused";
    },
  };
}

/** Cut as text: a URL of Postgres may name several hosts. */
function passwordOf(url: string): string | undefined {
  const written = /^[a-z]+:\/\/[^:@/?#]+:([^@/?#]*)@/i.exec(url)?.[1];
  return written === undefined ? undefined : decodeURIComponent(written);
}
