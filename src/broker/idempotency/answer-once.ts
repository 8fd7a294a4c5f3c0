import { hours, seconds } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { IdempotencyPlace, IdempotencyStore } from "./ports.ts";

const KEPT_MS = hours(24);

/**
 * Does something once for an `Idempotency-Key`, however often the caller repeats himself within a day.
 * @param withoutSecrets what of the answer is kept for a repeat: one-use links and secrets are told once (design §6)
 * @throws Problem("idempotency_conflict") where the key was used with another request
 */
export async function answerOnce<T extends object>(
  store: IdempotencyStore,
  at: IdempotencyPlace,
  request: object,
  act: () => Promise<T>,
  withoutSecrets: (answer: T) => object,
): Promise<object> {
  const claim = await store.claim(at, JSON.stringify(request), KEPT_MS);
  switch (claim.kind) {
    case "answered":
      return JSON.parse(claim.answer) as object;
    case "conflict":
      throw new Problem("idempotency_conflict");
    case "busy":
      throw new Problem("store_unavailable", {
        detail: "The same request is being answered.",
        retryAfterMs: seconds(1),
      });
    case "new":
      break;
  }
  try {
    const answer = await act();
    await store.settle(at, JSON.stringify(withoutSecrets(answer)));
    return answer;
  } catch (error) {
    // A refusal changed nothing, so the same key may come again with the mended request.
    await store.giveBack(at);
    throw error;
  }
}
