import type { Service } from "@drover/domain/environment/declaration";
import type { Value } from "@drover/document/source/value";
import type { RawService } from "../service-shape.ts";

/** A service with the places of what it says. */
export interface ServiceDraft {
  service: Service;
  raw: RawService;
  at: Value;
}
