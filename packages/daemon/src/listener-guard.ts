import { DroverError } from "@drover/domain/error";

import { type Address, formatAddress, isLoopback } from "./address.ts";

/** Refuses to listen where other machines can reach an API that does not ask who they are, unless that is wanted. */
export function guardListeners({ addresses, insecure }: { addresses: readonly Address[]; insecure: boolean }): void {
  if (insecure) return;
  const open = addresses.filter((address) => !isLoopback(address.host)).map(formatAddress);
  if (open.length === 0) return;
  throw new DroverError(
    "invalid",
    `Expected to listen on loopback addresses only, because callers are not authenticated, got ${open.join(", ")}.`,
    { hint, fields: [{ field: "DROVER_LISTEN", message: `${open.join(", ")} can be reached from other machines` }] },
  );
}

const hint =
  "Listen on 127.0.0.1 or [::1], or set --insecure (DROVER_INSECURE=true) where every machine that can connect may do everything.";
