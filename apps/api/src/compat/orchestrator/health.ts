import type { HealthState } from "@drover/daemon/health";

/** What these clients are told of the server; the version is that of the interface, which they compare. */
export function describeHealth({ isReady, checks }: HealthState) {
  const failing = checks
    .filter((check) => check.ok !== true)
    .map(({ name, message }) => [name, `unhealthy: ${message}`]);
  return {
    healthy: isReady,
    version: "0.1.0",
    services: {
      orchestrator: isReady ? "healthy" : "unhealthy",
      grpc_server: "healthy",
      ...(!isReady && Object.fromEntries(failing)),
    },
  };
}
