import { Webhook } from "standardwebhooks";
import { hours, type Instant, type Milliseconds, seconds } from "../domain/instant.ts";
import type { Sent } from "../events/delivery-plan.ts";
import type { SignedDelivery, WebhookSender } from "../events/subscription-ports.ts";
import { decideUrl, type EgressRules, egressRules } from "./egress-guard.ts";
import type { Outbound } from "./outbound.ts";
import { readRetryAfter } from "./retry-after.ts";

/** From the call to the answer. A receiver takes an event and works on it afterwards. */
const DEADLINE_MS = seconds(10);
/** Of the body, which nobody reads. More is cut off with the connection. */
const BODY_LIMIT_BYTES = 4 * 1_024;
const PAUSE_MAX_MS = hours(24);

export interface WebhookSenderOptions {
  readonly now: () => Instant;
  readonly rules: Partial<EgressRules>;
  readonly deadlineMs?: Milliseconds;
}

/**
 * Calls receivers of events as Standard Webhooks says, through the same door and the same guard as everything else (T18). The status
 * alone counts: a redirect is a failure, and of the body not even its end is waited for once there is a status.
 */
export function makeWebhookSender(
  outbound: Pick<Outbound, "exchange">,
  { now, rules, deadlineMs = DEADLINE_MS }: WebhookSenderOptions,
): WebhookSender {
  const egress = egressRules(rules);
  return {
    refusal(url) {
      const verdict = decideUrl(url, egress);
      return verdict.allowed ? undefined : verdict.because;
    },

    async send({ url, id, body, secrets }: SignedDelivery): Promise<Sent & { elapsedMs: Milliseconds }> {
      // When it is sent, not when it happened: receivers refuse what is older than five minutes.
      const at = new Date(now());
      const signatures = secrets.map((secret) => new Webhook(secret.reveal()).sign(id, at, body));
      const exchange = await outbound.exchange({
        method: "POST",
        span: "webhook",
        url,
        headers: {
          "content-type": "application/json",
          "user-agent": "imanage-token-broker",
          "webhook-id": id,
          "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
          "webhook-signature": signatures.join(" "),
        },
        body,
        deadlineMs,
        headersTimeoutMs: deadlineMs,
        bodyLimitBytes: BODY_LIMIT_BYTES,
      });
      switch (exchange.kind) {
        case "answer": {
          const { status, headers, elapsedMs } = exchange;
          const waits = status === 429 || status >= 500;
          const retryAfterMs = waits ? readRetryAfter(headers, now(), PAUSE_MAX_MS) : undefined;
          return { status, retryAfterMs, elapsedMs };
        }
        case "unanswered":
          return { status: undefined, reason: exchange.reason, elapsedMs: exchange.elapsedMs };
        case "not_sent":
          return { status: undefined, reason: exchange.reason, elapsedMs: 0 };
      }
    },
  };
}
