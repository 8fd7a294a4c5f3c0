import type { Random } from "../broker/ports.ts";
import { Secret } from "../domain/secret.ts";
import type { WebhookSecrets } from "../events/subscription-ports.ts";

/** As many as Standard Webhooks' libraries make themselves; it asks for 24 to 64. */
const BYTES = 32;

/** What deliveries of events are signed with. */
export const makeWebhookSecrets = (random: Random): WebhookSecrets => ({
  make: () => new Secret(`whsec_${Buffer.from(random.bytes(BYTES)).toString("base64")}`),
});
