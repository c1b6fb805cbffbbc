import { readFileSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { DroverError } from "@drover/domain/error";

export interface ConnectOptions {
  /** As in DOCKER_HOST: unix:///path or tcp://host:port. */
  host?: string;
  /** A folder with ca.pem, cert.pem and key.pem, as in DOCKER_CERT_PATH; switches TLS on. */
  certPath?: string;
}

/** Names the engine; no connection is made before the first call. */
export function connect({ host = "unix:///var/run/docker.sock", certPath }: ConnectOptions = {}): Docker {
  // An empty host keeps the client from reading DOCKER_HOST by itself.
  if (host.startsWith("unix://")) return new Docker({ socketPath: host.slice("unix://".length), host: "" });
  const url = URL.parse(host);
  if (url?.protocol !== "tcp:" || url.port === "") {
    throw new DroverError("invalid", `Docker host: expected unix:///path or tcp://host:port, got ${host}.`, {
      hint: "Correct DOCKER_HOST.",
    });
  }
  const tls =
    certPath === undefined ? { protocol: "http" as const } : { protocol: "https" as const, ...readKeys(certPath) };
  return new Docker({ host: url.hostname, port: Number(url.port), ...tls });
}

function readKeys(folder: string): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (name: string): Buffer => readFileSync(join(folder, `${name}.pem`));
  return { ca: read("ca"), cert: read("cert"), key: read("key") };
}
