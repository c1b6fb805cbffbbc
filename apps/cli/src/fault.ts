import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";
import { DroverError, type ErrorReason } from "@drover/domain/error";

/** Turns what a call threw into a refusal with a reason, a sentence, the faults by field and the next command. */
export function toFault(
  error: unknown,
  { address, commandName }: { address: string; commandName: string },
): DroverError {
  if (error instanceof DroverError) return error;
  if (!(error instanceof ConnectError)) {
    if (codeOf(error) !== undefined && codeOf(error) !== "ABORT_ERR")
      return unreachable(address, networkCause(error), error);
    return new DroverError("internal", error instanceof Error ? error.message : String(error), { cause: error });
  }
  if (isForeign(error)) {
    return new DroverError(
      "unavailable",
      `Expected a Drover API at ${address}, got an answer that is none (${error.rawMessage}).`,
      {
        hint: "drover status --address URL",
        cause: error,
      },
    );
  }
  const reason = reasonByCode[error.code];
  if (reason === "unavailable" && isNetwork(error)) {
    return unreachable(address, networkCause(error.cause), error);
  }
  const faults = fieldFaults(error);
  // Where the sentence says all of it, a list of one would only say it again.
  const [first] = faults;
  const isSaid = faults.length === 1 && first !== undefined && error.rawMessage.includes(first.message);
  const fields = isSaid ? [] : faults;
  const hint = nextCommand(error.rawMessage, reason, commandName);
  return new DroverError(reason, headline(error.rawMessage, fields), {
    ...(hint && { hint }),
    ...(fields.length > 0 && { fields }),
    cause: error,
  });
}

const reasonByCode: Record<Code, ErrorReason> = {
  [Code.Canceled]: "unavailable",
  [Code.Unknown]: "internal",
  [Code.InvalidArgument]: "invalid",
  [Code.DeadlineExceeded]: "deadline",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "conflict",
  [Code.PermissionDenied]: "forbidden",
  [Code.ResourceExhausted]: "overloaded",
  [Code.FailedPrecondition]: "conflict",
  [Code.Aborted]: "unavailable",
  [Code.OutOfRange]: "invalid",
  [Code.Unimplemented]: "unimplemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "internal",
  [Code.Unauthenticated]: "forbidden",
};

/** Whether something answered that speaks HTTP but not our protocol: Connect names such an answer by its status. */
function isForeign(error: ConnectError): boolean {
  return /^HTTP \d{3}$|unsupported content type/.test(error.rawMessage);
}

function isNetwork(error: ConnectError): boolean {
  return error.cause !== undefined && error.metadata.get("content-type") === null;
}

function unreachable(address: string, because: string, cause: unknown): DroverError {
  return new DroverError("unavailable", `Expected a Drover API at ${address}, got no answer: ${because}.`, {
    hint: "drover up, or name another address with --address or DROVER_ADDRESS",
    cause,
  });
}

function networkCause(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return networkWords[codeOf(error) ?? ""] ?? message;
}

function codeOf(cause: unknown): string | undefined {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  return typeof code === "string" ? code : undefined;
}

const networkWords: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the name of the host cannot be resolved right now",
  ETIMEDOUT: "the host does not respond",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  EPIPE: "the connection was cut",
  UND_ERR_SOCKET: "the connection was cut",
};

/** The violations of a google.rpc.BadRequest, if the error carries one. */
function fieldFaults(error: ConnectError): { field: string; message: string }[] {
  return error.details.flatMap((detail) => {
    if (!("type" in detail) || detail.type !== "google.rpc.BadRequest") return [];
    return readMessages(detail.value, 1).map((bytes) => {
      const text = (number: number) => new TextDecoder().decode(readMessages(bytes, number)[0]);
      return { field: text(1), message: text(2) };
    });
  });
}

/** Every length-delimited value under one field number: three lines instead of a descriptor for one message. */
function readMessages(bytes: Uint8Array, number: number): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [fieldNumber, wireType] = reader.tag();
    if (fieldNumber === number && wireType === WireType.LengthDelimited) found.push(reader.bytes());
    else reader.skip(wireType);
  }
  return found;
}

/** The sentence without the list of faults that follows it elsewhere, since they are shown as a list of their own. */
function headline(whole: string, fields: readonly { field: string }[]): string {
  // What only names the next command is said once, in the line for it.
  const message = whole.replace(/ (List|Look|See|Check|Try)[^."]*"drover [^"]*"\.$/, "");
  const [field] = fields;
  if (field === undefined) return message;
  const start = message.indexOf(`: ${field.field}`);
  return start < 0 ? message : `${message.slice(0, start)}.`;
}

/** What to type next: the command that the server names, else what fits the reason. */
function nextCommand(message: string, reason: ErrorReason, commandName: string): string | undefined {
  const named = /["'`](drover [^"'`]+)["'`]/.exec(message)?.[1];
  if (named !== undefined) return named;
  const [noun = ""] = commandName.split(" ");
  const of = lists[noun] ?? noun;
  const list = listed.includes(of) ? `drover ${of} list` : "drover status";
  if (reason === "not_found") return list;
  if (reason === "invalid") return `drover ${commandName} --help`;
  if (reason === "conflict" || reason === "forbidden") return noun === "run" ? `drover ${commandName} --help` : list;
  if (reason === "deadline") return "the same with a longer --deadline";
  if (reason === "overloaded") return "the same again in a moment; drover class list shows what waits";
  return "drover status";
}

const listed = ["task", "class", "node", "workflow", "run", "schedule", "limit", "budget", "price", "env", "gpu"];

/** Nouns that are looked for in the list of another. */
const lists: Record<string, string> = { service: "env", image: "node" };

/** For an answer without what every answer must hold. */
export function notAnswered(what: string): DroverError {
  return new DroverError("internal", `Expected ${what} in the answer, got none.`, { hint: "drover status" });
}
