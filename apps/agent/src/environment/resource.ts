import type { WantedReplica } from "@drover/db/node/replica";
import type { Answer } from "../docker/answer.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import { networkAliases, resourceName } from "./name.ts";

export interface Resources {
  /** Makes the networks and volumes that a replica uses, where they are not there. */
  ensure(wanted: WantedReplica): Promise<Answer<void>>;
  /** Joins a container that does not run to the replica's networks beside the main one. */
  join(wanted: WantedReplica, containerId: string): Promise<Answer<void>>;
  /** Removes networks of ours that none of the replicas uses. Volumes stay: they hold what somebody wants to keep. */
  prune(wanted: Iterable<WantedReplica>): Promise<void>;
}

const done: Answer<void> = { ok: true, value: undefined };

/** The networks and volumes of this node's environments. */
export function createResources({ engine, holder }: { engine: ServiceEngine; holder: string }): Resources {
  // The engine makes two networks of one name when it is asked twice at once.
  const making = new Map<string, Promise<Answer<void>>>();
  const once = (key: string, make: () => Promise<Answer<void>>): Promise<Answer<void>> => {
    const running = making.get(key) ?? make().finally(() => making.delete(key));
    making.set(key, running);
    return running;
  };
  const labelsOf = ({ namespace, environment }: WantedReplica) => ({
    [replicaLabels.holder]: holder,
    [replicaLabels.namespace]: namespace,
    [replicaLabels.environment]: environment,
  });

  async function ensureNetwork(wanted: WantedReplica, declared: WantedReplica["spec"]["networks"][number]) {
    const name = resourceName(wanted, declared);
    const found = await engine.network(name);
    if (found.ok) return done;
    if (found.fault !== "missing") return found;
    if (declared.isExternal === true) return refused(`The external network "${name}" is not on this node.`);
    return engine.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: "bridge",
      Internal: declared.isInternal === true,
      Labels: { ...labelsOf(wanted), [replicaLabels.network]: declared.name },
    });
  }

  async function ensureVolume(wanted: WantedReplica, declared: WantedReplica["spec"]["volumes"][number]) {
    const name = resourceName(wanted, declared);
    if (declared.isExternal !== true) return engine.createVolume(name, labelsOf(wanted));
    const found = await engine.volume(name);
    if (found.ok || found.fault !== "missing") return found;
    return refused(`The external volume "${name}" is not on this node.`);
  }

  return {
    async ensure(wanted) {
      const { networks, volumes } = wanted.spec;
      const answers = await Promise.all([
        ...networks.map((one) => once(`network ${resourceName(wanted, one)}`, () => ensureNetwork(wanted, one))),
        ...volumes.map((one) => ensureVolume(wanted, one)),
      ]);
      return answers.find((answer) => !answer.ok) ?? done;
    },
    async join(wanted, containerId) {
      const [, ...others] = wanted.spec.service.networks;
      if (others.length === 0) return done;
      const looked = await engine.inspect(containerId);
      if (!looked.ok) return looked;
      for (const name of others) {
        const declared = wanted.spec.networks.find((network) => network.name === name) ?? { name };
        const network = resourceName(wanted, declared);
        if (network in (looked.value.NetworkSettings.Networks ?? {})) continue;
        const answer = await engine.connectNetwork(network, containerId, networkAliases(wanted));
        // Only the reply may have been lost the last time.
        if (!answer.ok && !/already exists|already attached/i.test(answer.message)) return answer;
      }
      return done;
    },
    async prune(wanted) {
      const used = new Set<string>();
      for (const one of wanted) for (const network of one.spec.networks) used.add(resourceName(one, network));
      const answer = await engine.networks([`${replicaLabels.holder}=${holder}`, replicaLabels.network]);
      if (!answer.ok) return;
      // One that a container still uses the engine keeps; the next removal comes by here again.
      for (const { id, name } of answer.value) if (!used.has(name)) await engine.removeNetwork(id);
    },
  };
}

function refused(message: string): Answer<void> {
  return { ok: false, fault: "refused", message };
}
