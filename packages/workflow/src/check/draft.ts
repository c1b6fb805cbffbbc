import type { Json } from "@drover/domain/json";
import type { JsonSchema, Step } from "@drover/domain/workflow/definition";
import type { Place, Value } from "@drover/document/source/value";

/** A step on its way from a document into a definition. */
export interface Draft {
  step: Step;
  at: Place;
  needs: Need[];
  uses: Use[];
}

/** An edge as it was asked for. */
export interface Need {
  from: string;
  exit?: number;
  at: Place;
}

/** A template or expression of a step, whose references are checked once all steps are known. */
export interface Use {
  at: Value;
  template?: Json;
  expression?: string;
  /** The document has it word for word, so that a reference's place in it is one in the document. */
  isVerbatim?: boolean;
  /** Names besides those that every template of the run may use. */
  names?: readonly string[];
  /** Of a tool: what the model gives, which stands in the place of the run's input. */
  input?: JsonSchema;
  /** Evaluated after the step itself, whose output it may use. */
  isAfter?: boolean;
}

/** What templates of one graph may refer to, besides its steps. */
export interface Names {
  /** Absent: the input may be anything. */
  input?: JsonSchema;
  state?: readonly string[];
}
