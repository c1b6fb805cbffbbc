import { urlPasswords } from "@drover/daemon/redact";
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
export async function holdLogin(options: LoginOptions): Promise<HeldLogin> {
  let url = await openLogin(options);
  const start = url;
  if (passwordIn(url) === undefined) return fixedLogin(url);
  let renewal: Promise<void> = Promise.resolve();
  return {
    url: start,
    async password() {
      await renewal;
      return passwordIn(url) ?? "";
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

/** As the server is told it, not as URLs write it. */
const passwordIn = (url: string) => urlPasswords(url).at(-1);
