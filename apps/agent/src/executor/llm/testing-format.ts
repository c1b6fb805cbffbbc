import type { TestAnswer } from "./testing-provider.ts";

/** The frames of a streamed answer, as a provider sends them; `end` is what makes it whole. */
export interface Frames {
  pieces: string[];
  end: string[];
}

/** An answer as OpenAI streams it. */
export function openaiFrames({ pieces, toolCalls, finish, usage, model }: TestAnswer): Frames {
  const chunk = (fields: object) =>
    `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", model, ...fields })}\n\n`;
  const delta = (fields: object) => chunk({ choices: [{ index: 0, delta: fields }] });
  const reason = { stop: "stop", length: "length", tool_calls: "tool_calls", content_filter: "content_filter" }[finish];
  return {
    pieces: [
      ...pieces.map((content) => delta({ content })),
      ...toolCalls.flatMap(({ name, fragments }, index) => [
        delta({ tool_calls: [{ index, id: `call_${index}`, type: "function", function: { name, arguments: "" } }] }),
        ...fragments.map((text) => delta({ tool_calls: [{ index, function: { arguments: text } }] })),
      ]),
    ],
    end: [
      chunk({ choices: [{ index: 0, delta: {}, finish_reason: reason }] }),
      ...(usage === undefined
        ? []
        : [chunk({ choices: [], usage: { prompt_tokens: usage.input, completion_tokens: usage.output } })]),
      "data: [DONE]\n\n",
    ],
  };
}

/** An answer as Anthropic streams it. */
export function anthropicFrames({ pieces, toolCalls, finish, usage, model }: TestAnswer): Frames {
  const event = (type: string, fields: object = {}) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  const reason = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use", content_filter: "refusal" }[finish];
  const message = { id: "m1", type: "message", role: "assistant", model, content: [], stop_reason: null };
  const counted = usage ?? { input: 0, output: 0 };
  const calls = toolCalls.flatMap(({ name, fragments }, at) => {
    const index = at + 1;
    return [
      event("content_block_start", { index, content_block: { type: "tool_use", id: `call_${at}`, name, input: {} } }),
      ...fragments.map((text) =>
        event("content_block_delta", { index, delta: { type: "input_json_delta", partial_json: text } }),
      ),
      event("content_block_stop", { index }),
    ];
  });
  const text = [
    event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ...pieces.map((piece) => event("content_block_delta", { index: 0, delta: { type: "text_delta", text: piece } })),
    event("content_block_stop", { index: 0 }),
  ];
  return {
    pieces: [
      event("message_start", { message: { ...message, usage: { input_tokens: counted.input, output_tokens: 1 } } }),
      ...(pieces.length === 0 ? [] : text),
      ...calls,
    ],
    end: [
      event("message_delta", {
        delta: { stop_reason: reason, stop_sequence: null },
        usage: { output_tokens: counted.output },
      }),
      event("message_stop"),
    ],
  };
}

/** An answer as Google streams it: calls come whole. */
export function googleFrames({ pieces, toolCalls, finish, usage, model }: TestAnswer): Frames {
  const chunk = (fields: object) => `data: ${JSON.stringify({ responseId: "g1", modelVersion: model, ...fields })}\n\n`;
  const parts = (list: object[]) => chunk({ candidates: [{ index: 0, content: { role: "model", parts: list } }] });
  const reason = { stop: "STOP", length: "MAX_TOKENS", tool_calls: "STOP", content_filter: "SAFETY" }[finish];
  const counts = usage && { promptTokenCount: usage.input, candidatesTokenCount: usage.output };
  return {
    pieces: [
      ...pieces.map((text) => parts([{ text }])),
      ...toolCalls.map(({ name, fragments }) => {
        const args = JSON.parse(fragments.join("")) as unknown;
        return parts([{ functionCall: { name, args }, thoughtSignature: "signed" }]);
      }),
    ],
    end: [
      chunk({
        candidates: [{ index: 0, content: { role: "model", parts: [] }, finishReason: reason }],
        ...(counts && { usageMetadata: counts }),
      }),
    ],
  };
}
