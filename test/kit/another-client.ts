import { WalkingClient } from "../../scripts/walk/client.ts";
import { makeId } from "../../src/domain/id.ts";
import { systemRandom } from "../../src/security/random.ts";
import { put } from "./put-records.ts";
import { RETURN_URL, type World } from "./world.ts";

/** A second application in a world, with the first one's policy at its start. */
export async function anotherClient({ broker, base, client, organisation }: World): Promise<WalkingClient> {
  const { configuration, clientSecrets, clock } = broker;
  const secret = clientSecrets.make();
  const id = makeId("cli", undefined, clock.now(), systemRandom.bytes(16));
  await put.client(configuration, {
    v: 1,
    id,
    name: `another-${id.slice(-8)}`,
    displayName: "Another application",
    secrets: [{ hmac: clientSecrets.hmac(secret), addedAt: clock.now(), expiresAt: undefined }],
    returnUrls: [RETURN_URL],
    state: "active",
    generation: 1,
    createdAt: clock.now(),
  });
  const { policy } = await configuration.findPolicy(client.id as never, organisation as never);
  await put.policy(configuration, { ...policy!, client: id });
  return new WalkingClient(base, id, secret.reveal());
}
