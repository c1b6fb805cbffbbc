import { DroverError } from "@drover/domain/error";

const setting = "DROVER_NODE_DATABASE_URL";

/**
 * The URL by which a node reaches the database under its own login. It is cut as text: a URL of Postgres may name
 * several hosts, which no parser of URLs takes.
 */
export function nodeDatabaseUrl(base: string, { login, password }: { login: string; password: string }): string {
  const match = /^(postgres(?:ql)?:\/\/)(?:([^@/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(base);
  if (match === null) throw unusable("a URL of Postgres");
  const [, scheme = "", user = "", hosts = "", path = "", query = ""] = match;
  const settings = query.split("&").filter((pair) => pair !== "" && !/^(user|password)=/i.test(pair));
  const isSocket = /^%2f/i.test(hosts) || settings.some((pair) => /^host=(\/|%2f)/i.test(pair));
  const isNamed = hosts !== "" || settings.some((pair) => /^host=./i.test(pair));
  if (isSocket || !isNamed) throw unusable("a unix socket");
  // Without a name in it the database is called like its user, which here is another one.
  const database = path.length > 1 ? path : `/${user.split(":")[0] || "postgres"}`;
  const rest = settings.length === 0 ? "" : `?${settings.join("&")}`;
  return `${scheme}${encodeURIComponent(login)}:${encodeURIComponent(password)}@${hosts}${database}${rest}`;
}

function unusable(what: string): DroverError {
  return new DroverError(
    "conflict",
    `Expected to know how nodes reach the database; the API itself reaches it by ${what}.`,
    {
      hint: `Set ${setting} on the API, such as postgres://db.example:5432/drover; user and password are each node's own.`,
    },
  );
}
