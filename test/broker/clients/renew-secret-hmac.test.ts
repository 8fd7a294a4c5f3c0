import { describe, expect, it } from "vitest";
import { secretViews } from "../../../src/broker/clients/manage-clients.ts";
import { renewSecretHmac } from "../../../src/broker/clients/renew-secret-hmac.ts";
import type { Client } from "../../../src/domain/client.ts";
import { makeClientSecrets } from "../../../src/security/client-secrets.ts";
import { systemRandom } from "../../../src/security/random.ts";
import { addRootKey, parseRootKeyset, promoteRootKey } from "../../../src/security/root-keyset.ts";
import { NOW, newKeysetText } from "../../security/kit.ts";

describe("a secret that is shown", () => {
  it("is kept under the primary key although another secret of its client needs a key that is gone", async () => {
    const text = newKeysetText();
    const before = parseRootKeyset(text);
    const { text: grown, id } = addRootKey(text, systemRandom, NOW);
    const rootKeyset = parseRootKeyset(promoteRootKey(grown.reveal(), id).reveal());
    const clientSecrets = makeClientSecrets({ rootKeyset, random: systemRandom });
    const stranger = makeClientSecrets({
      rootKeyset: parseRootKeyset(newKeysetText()),
      random: systemRandom,
    });
    const earlier = makeClientSecrets({ rootKeyset: before, random: systemRandom });
    const shown = earlier.make();
    const kept = (hmac: string) => ({ hmac, addedAt: NOW, expiresAt: undefined });
    const lost = kept(stranger.hmac(stranger.make()));
    const client: Client = {
      v: 1,
      id: "cli_0000000000000000000000000a",
      name: "matter-tracker",
      displayName: "Matter Tracker",
      secrets: [lost, kept(earlier.hmac(shown))],
      returnUrls: [],
      state: "active",
      generation: 1,
      createdAt: NOW,
    };
    const stored: Client[] = [];
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const store = { putClient: async (next: Client) => void stored.push(next) };
    await renewSecretHmac({ clientSecrets, clock: { now: () => NOW }, store, log }, client, shown);
    expect(stored).toHaveLength(1);
    expect(stored[0]!.secrets[0]).toEqual(lost);
    // Whoever was told the secret's id makes it void by it, also after the renewal.
    expect(secretViews(stored[0]!).map(({ id }) => id)).toEqual(secretViews(client).map(({ id }) => id));
    expect(clientSecrets.rootKeyOf(stored[0]!.secrets[1]!.hmac)).toBe(rootKeyset.primary);
    expect(clientSecrets.matches(shown, stored[0]!.secrets, NOW)).toBe(true);
  });
});
