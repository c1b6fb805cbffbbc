export interface ProviderFetchOptions {
  /** Far more than any answer has; a provider that never ends is cut off. */
  maxBytes?: number;
}

/**
 * How providers are called: redirects are not followed, because a header with a key would be sent along,
 * and an answer may not grow without bound.
 */
export function createProviderFetch({ maxBytes = 32 * 1024 * 1024 }: ProviderFetchOptions = {}): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, { ...init, redirect: "manual" });
    if (response.body === null) return response;
    let bytes = 0;
    const bounded = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          bytes += chunk.byteLength;
          if (bytes > maxBytes) controller.error(new AnswerTooLarge(maxBytes));
          else controller.enqueue(chunk);
        },
      }),
    );
    return new Response(bounded, response);
  };
}

/** An answer that grew past the bound. */
export class AnswerTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`expected an answer of at most ${maxBytes} bytes, got more`);
  }
}
