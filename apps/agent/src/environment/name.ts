/** What a replica is called by those who name things after it. */
export interface ReplicaName {
  namespace: string;
  environment: string;
  service: string;
  number: number;
}

/**
 * The name of a replica's container: a second creation of the same replica collides in the engine itself. Names of
 * namespaces, environments and services have neither underscores nor dots, so that two replicas never share one.
 */
export function containerName({ namespace, environment, service, number }: ReplicaName): string {
  return `drover_${prefixOf(namespace)}${environment}_${service}_${number}`;
}

/**
 * The engine's name of a network or volume of an environment: prefixed with the environment's, unless it begins with
 * that already; an external one has exactly the name that it was declared with.
 */
export function resourceName(
  { namespace, environment }: Pick<ReplicaName, "namespace" | "environment">,
  { name, isExternal }: { name: string; isExternal?: boolean },
): string {
  if (isExternal === true) return name;
  const own = name.startsWith(`${environment}_`) ? name : `${environment}_${name}`;
  return `${prefixOf(namespace)}${own}`;
}

/** By these names others in its networks reach a replica. */
export function networkAliases({ service, number }: Pick<ReplicaName, "service" | "number">): string[] {
  return [service, `${service}-${number}`];
}

function prefixOf(namespace: string): string {
  return namespace === "default" ? "" : `${namespace}.`;
}
