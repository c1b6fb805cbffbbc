import type { Declaration, Service } from "./declaration.ts";

/** A service as declared, with everything that it does not say itself. */
export function declare(name: string, said: Partial<Service> = {}): Service {
  return {
    name,
    image: `${name}:1`,
    pull: "missing",
    env: {},
    ports: [],
    mounts: [],
    networks: ["default"],
    dependsOn: [],
    isRequired: true,
    restart: { when: "always", baseDelaySeconds: 0.5, maxDelaySeconds: 30 },
    resources: {},
    replicas: 1,
    placement: { labels: {}, notLabels: {}, tolerates: [], strategy: "binpack", models: [] },
    update: { maxUnavailable: 1, healthySeconds: 5, onFailure: "pause" },
    onDisconnect: { kind: "keep" },
    stopGraceSeconds: 10,
    isReadOnlyRoot: false,
    labels: {},
    ...said,
  };
}

/** An environment of these services. */
export function environmentOf(services: Service[], said: Partial<Declaration> = {}): Declaration {
  return {
    name: "shop",
    services,
    networks: [{ name: "default" }],
    volumes: [],
    isTogether: true,
    labels: {},
    ...said,
  };
}
