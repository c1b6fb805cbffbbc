import type { WantedReplica } from "@drover/db/node/replica";
import type { Answer } from "../docker/answer.ts";
import { isOfAnother, isOwn, markOf, type Owner } from "../docker/owner.ts";
import { replicaLabels } from "../docker/replica-label.ts";
import type { ServiceEngine } from "../docker/service-engine.ts";
import { networkAliases, resourceName } from "./name.ts";
import { createNetworkFinder, type NetworkUse } from "./network.ts";

export interface Resources {
  /**
   * Makes the networks and volumes that a replica uses, where they are not there; answers with the ids of networks
   * whose names do not say which is meant.
   */
  ensure(wanted: WantedReplica): Promise<Answer<ReadonlyMap<string, string>>>;
  /** Joins a container that does not run to the replica's networks beside the main one. */
  join(wanted: WantedReplica, containerId: string): Promise<Answer<void>>;
  /** Removes networks of ours that none of the replicas uses. Volumes stay: they hold what somebody wants to keep. */
  prune(wanted: Iterable<WantedReplica>): Promise<void>;
}

const done: Answer<void> = { ok: true, value: undefined };

/** The networks and volumes of this node's environments. */
export function createResources({ engine, owner }: { engine: ServiceEngine; owner: Owner }): Resources {
  const finder = createNetworkFinder({ engine, owner });
  // The engine makes two networks of one name when it is asked twice at once.
  const making = new Map<string, Promise<Answer<NetworkUse>>>();
  const once = (key: string, make: () => Promise<Answer<NetworkUse>>): Promise<Answer<NetworkUse>> => {
    const running = making.get(key) ?? make().finally(() => making.delete(key));
    making.set(key, running);
    return running;
  };
  const labelsOf = ({ namespace, environment }: WantedReplica) => ({
    ...markOf(owner),
    [replicaLabels.namespace]: namespace,
    [replicaLabels.environment]: environment,
  });

  async function ensureNetwork(
    wanted: WantedReplica,
    declared: WantedReplica["spec"]["networks"][number],
  ): Promise<Answer<NetworkUse>> {
    const name = resourceName(wanted, declared);
    const found = await finder.find(name, declared.isExternal === true);
    if (!found.ok) return found;
    if (found.value !== undefined) return { ok: true, value: found.value };
    if (declared.isExternal === true) return refused(`The external network "${name}" is not on this node.`);
    const made = await engine.createNetwork({
      Name: name,
      CheckDuplicate: true,
      Driver: "bridge",
      Internal: declared.isInternal === true,
      Labels: { ...labelsOf(wanted), [replicaLabels.network]: declared.name },
    });
    return made.ok ? { ok: true, value: {} } : made;
  }

  async function ensureVolume(
    wanted: WantedReplica,
    declared: WantedReplica["spec"]["volumes"][number],
  ): Promise<Answer<unknown>> {
    const name = resourceName(wanted, declared);
    const found = await engine.volume(name);
    if (found.ok && declared.isExternal !== true && isOfAnother(owner, found.value.labels)) {
      return refused(
        `The volume "${name}" was made by another installation of Drover. Declare it with "external: true" under this name to use what is in it, or remove it: docker volume rm ${name}.`,
      );
    }
    if (found.ok || found.fault !== "missing") return found;
    if (declared.isExternal === true) return refused(`The external volume "${name}" is not on this node.`);
    return engine.createVolume(name, labelsOf(wanted));
  }

  return {
    async ensure(wanted) {
      const { networks, volumes } = wanted.spec;
      const ids = new Map<string, string>();
      const ensured = networks.map(async (one) => {
        const name = resourceName(wanted, one);
        const answer = await once(name, () => ensureNetwork(wanted, one));
        if (answer.ok && answer.value.id !== undefined) ids.set(name, answer.value.id);
        return answer;
      });
      const answers = await Promise.all([...ensured, ...volumes.map((one) => ensureVolume(wanted, one))]);
      return answers.find((answer) => !answer.ok) ?? { ok: true, value: ids };
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
        const found = await finder.find(network, declared.isExternal === true);
        if (!found.ok) return found;
        const answer = await engine.connectNetwork(
          { name: network, ...found.value },
          containerId,
          networkAliases(wanted),
        );
        // Only the reply may have been lost the last time.
        if (!answer.ok && !/already exists|already attached/i.test(answer.message)) return answer;
      }
      return done;
    },
    async prune(wanted) {
      const used = new Set<string>();
      for (const one of wanted) for (const network of one.spec.networks) used.add(resourceName(one, network));
      const answer = await engine.networks([`${replicaLabels.holder}=${owner.holder}`, replicaLabels.network]);
      if (!answer.ok) return;
      // One that a container still uses the engine keeps; the next removal comes by here again.
      for (const { id, name, labels } of answer.value)
        if (!used.has(name) && isOwn(owner, labels)) await engine.removeNetwork(id);
    },
  };
}

function refused(message: string): { ok: false; fault: "refused"; message: string } {
  return { ok: false, fault: "refused", message };
}
