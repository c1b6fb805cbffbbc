/** Who makes things on an engine: their labels say so, and nobody else's are touched. */
export interface Owner {
  /** The node's name. */
  readonly holder: string;
  /** Which installation of Drover the node belongs to, once that is known: another one may have a node of this name. */
  readonly installation?: (() => string | undefined) | undefined;
}

/** The labels that say whose something is, on containers, networks and volumes alike. */
export const ownerLabels = { holder: "drover.holder", installation: "drover.installation" } as const;

/** The labels of what an owner makes. */
export function markOf({ holder, installation }: Owner): Record<string, string> {
  const id = installation?.();
  return { [ownerLabels.holder]: holder, ...(id !== undefined && { [ownerLabels.installation]: id }) };
}

/**
 * Whether something with these labels is this owner's. What names no installation was made by a release that named none,
 * and is its holder's; while the own installation is not known, what names one is nobody's to touch.
 */
export function isOwn(owner: Owner, labels: Readonly<Record<string, string>>): boolean {
  return labels[ownerLabels.holder] === owner.holder && !isOfAnother(owner, labels);
}

/** Whether something says of itself that it belongs to another installation, or to one that may be another. */
export function isOfAnother({ installation }: Owner, labels: Readonly<Record<string, string>>): boolean {
  const said = labels[ownerLabels.installation];
  return said !== undefined && said !== installation?.();
}
