/** What stands where a secret stood. */
export const redacted = "[redacted]";

/** Hides what is secret in a text: passwords in URLs and connection strings, credentials in headers. */
export function redactText(text: string): string {
  return text
    .replace(urlPassword, `$1${redacted}@`)
    .replace(namedPassword, `$1${redacted}`)
    .replace(authorization, `$1 ${redacted}`);
}

/** The password in a URL, as it is written there and decoded; none where there is none. */
export function urlPasswords(text: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s?#]*)@/i.exec(text)?.[1];
  if (written === undefined) return [];
  try {
    return [...new Set([written, decodeURIComponent(written)])];
  } catch {
    // Not percent-encoded: then it is used as it stands.
    return [written];
  }
}

/** Makes a function that hides, in a line of JSON, what redactText does, every secret-sounding field, and the given values. */
export function createLineRedactor(secrets: readonly string[] = []): (line: string) => string {
  // As they look inside JSON; short ones are left out, because they would hide innocent text and betray themselves by it.
  const values = secrets.filter((secret) => secret.length >= 6).map((secret) => JSON.stringify(secret).slice(1, -1));
  return (line) => {
    let clean = line;
    for (const value of values) clean = clean.replaceAll(value, redacted);
    return redactText(clean.replace(secretField, `$1"${redacted}"`));
  };
}

// The lengths are bounded so that a long text costs no more than its length, whatever it holds.
// The password may itself hold "@" or "/": everything up to the last "@" before a blank or a quote.
const urlPassword = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'/:@]{0,128}:)[^\s"']{0,512}@/gi;

// libpq's keyword form and the query of a URL.
const namedPassword = /(\b(?:password|passwd|sslpassword)=)(?:'[^']*'|[^\s"'&;]+)/gi;

const authorization = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/g;

const scalar = String.raw`(?:"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*)`;
const secretName = String.raw`[A-Za-z0-9_-]{0,64}(?:password|passwd|secret|token|api[_-]?key|private[_-]?key|authorization|cookie|credentials?)`;
const secretField = new RegExp(String.raw`("${secretName}":)(?:${scalar}|\[(?:${scalar},?)*\])`, "gi");
