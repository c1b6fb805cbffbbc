import type { Answer } from "../docker/answer.ts";
import { isOfAnother, isOwn, type Owner } from "../docker/owner.ts";
import type { NetworkFacts, ServiceEngine } from "../docker/service-engine.ts";
import { replicaLabels } from "../docker/replica-label.ts";

/** A network as it is to be referred to. */
export interface NetworkUse {
  /** Set where several have its name, so that only the id says which is meant. */
  id?: string;
}

export interface NetworkFinder {
  /** The network of a name that this owner's containers are to use; undefined: there is none. */
  find(name: string, isExternal: boolean): Promise<Answer<NetworkUse | undefined>>;
}

/**
 * Finds networks by their names. An engine that is asked twice at once makes two of one name, and then refuses to start
 * anything by that name: of those that are ours the ones without containers are removed, and what is left over is
 * told apart by id.
 */
export function createNetworkFinder({
  engine,
  owner,
}: {
  engine: Pick<ServiceEngine, "networksNamed" | "networkUsers" | "removeNetwork">;
  owner: Owner;
}): NetworkFinder {
  /** The most used first, then the oldest: whoever looks picks the same one. */
  async function ranked(networks: readonly NetworkFacts[]): Promise<{ network: NetworkFacts; users: number }[]> {
    const counted = networks.map(async (network) => {
      const answer = await engine.networkUsers(network.id);
      // One that cannot be looked at may be in use.
      return { network, users: answer.ok ? answer.value : Number.POSITIVE_INFINITY };
    });
    const order = ({ network }: { network: NetworkFacts }) => `${network.createdAt} ${network.id}`;
    return (await Promise.all(counted)).toSorted(
      (a, b) => Math.sign(b.users - a.users) || order(a).localeCompare(order(b)),
    );
  }

  return {
    async find(name, isExternal) {
      const found = await engine.networksNamed(name);
      if (!found.ok) return found;
      const usable = isExternal ? found.value : found.value.filter(({ labels }) => !isOfAnother(owner, labels));
      const [only] = usable;
      if (only === undefined) {
        return found.value.length === 0 ? none : refused(`The network "${name}" is of another installation of Drover.`);
      }
      if (found.value.length === 1) return { ok: true, value: {} };
      const [best = { network: only }, ...others] = await ranked(usable);
      let left = found.value.length;
      for (const { network, users } of isExternal ? [] : others) {
        const isSurplus = users === 0 && isOwn(owner, network.labels) && replicaLabels.network in network.labels;
        if (isSurplus && (await engine.removeNetwork(network.id)).ok) left -= 1;
      }
      return { ok: true, value: left > 1 ? { id: best.network.id } : {} };
    },
  };
}

const none: Answer<undefined> = { ok: true, value: undefined };

function refused(message: string): Answer<undefined> {
  return { ok: false, fault: "refused", message: `${message} Give the environment another name here or there.` };
}
