import type { Declaration, Service } from "@drover/domain/environment/declaration";
import { DroverError } from "@drover/domain/error";
import { readEnvironment } from "./read-environment.ts";

/** An environment that is there without a file. */
export interface BuiltIn {
  /** As it would be written. */
  text: string;
  declaration: Declaration;
}

/** The built-in environment of a name: `lightweight`, the services that the env-manager knows. */
export function builtIn(name: string): BuiltIn | undefined {
  if (name !== "lightweight") return undefined;
  const reading = readEnvironment({ text: lightweight });
  if ("declaration" in reading) return { text: lightweight, declaration: reading.declaration };
  const [fault] = reading.faults;
  throw new DroverError("internal", `Expected a built-in environment without faults, got: ${fault?.message ?? ""}`);
}

/** The service of a name, or of another name that its clients know it by. */
export function findService(declaration: Pick<Declaration, "services">, name: string): Service | undefined {
  const find = (wanted: string | undefined) => declaration.services.find((service) => service.name === wanted);
  return find(name) ?? find(aliases.get(name));
}

const aliases: ReadonlyMap<string, string> = new Map([["reddb", "redb"]]);

const lightweight = `# The services of the env-manager; what must work for the others to be of use is required.
drover: environment/v1
name: lightweight
networks: { lightweight_default: }
volumes: { redis: , ollama: }
services:
  redis:
    image: redis:7-alpine
    ports: [6379:6379]
    mounts: [redis:/data]
    health: { redis: 6379 }

  redb:
    image: dspy-lightweight:latest
    ports: [8082:8080]
    health: { http: 8080/health }

  ollama:
    image: ollama/ollama:latest
    ports: [11435:11434]
    mounts: [ollama:/root/.ollama]
    health: { http: 11434/api/tags }
    required: false

  infermesh-node-a:
    image: official-infermesh:latest
    dependsOn: redis
    required: false

  infermesh-node-b:
    image: official-infermesh:latest
    dependsOn: redis
    required: false

  infermesh-router:
    image: official-infermesh:latest
    ports: [19000:9000]
    dependsOn: [infermesh-node-a, infermesh-node-b]
    health: { http: 9000/health }
    required: false

  zookeeper:
    image: confluentinc/cp-zookeeper:7.5.0
    ports: [2181:2181]
    env: { ZOOKEEPER_CLIENT_PORT: 2181 }
    required: false

  kafka:
    image: confluentinc/cp-kafka:7.5.0
    ports: [9092:29092]
    dependsOn: zookeeper
    env:
      KAFKA_BROKER_ID: 1
      KAFKA_ZOOKEEPER_CONNECT: zookeeper:2181
      # Inside of the network it is kafka:9092, on the node localhost:9092.
      KAFKA_ADVERTISED_LISTENERS: PLAINTEXT://kafka:9092,NODE://localhost:9092
      KAFKA_LISTENERS: PLAINTEXT://0.0.0.0:9092,NODE://0.0.0.0:29092
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: PLAINTEXT:PLAINTEXT,NODE:PLAINTEXT
      KAFKA_INTER_BROKER_LISTENER_NAME: PLAINTEXT
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1
    required: false

  prometheus:
    image: prom/prometheus:latest
    ports: [9090:9090]
    health: { http: 9090/-/healthy }
    required: false
`;
