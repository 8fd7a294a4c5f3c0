import type { Grant } from "../../domain/grant.ts";
import { seconds } from "../../domain/instant.ts";
import { isAssertedUser } from "../../domain/portal-session.ts";
import type { Secret } from "../../domain/secret.ts";
import type { Server } from "../../domain/server.ts";
import type { IdentityReader } from "../authorization/ports.ts";
import type { Log, Sealer } from "../ports.ts";
import { accessTokenContext } from "../seal-contexts.ts";
import type { IdentityFinding, ImportedIdentities, UnverifiedToken } from "./ports.ts";
import type { RefreshOutcome } from "./refresh-grant.ts";

export interface VerifyIdentityPorts {
  readonly log: Log;
  readonly sealer: Sealer;
  readonly identities: IdentityReader;
  readonly imported: ImportedIdentities;
}

const ASK_AGAIN_MS = seconds(15);

/**
 * Asks iManage whose an imported grant is, with what its first refresh brought: a file may name the wrong person. Nothing is spent,
 * so it may be asked as often as it takes, by several processes at once.
 */
export async function verifyIdentity(
  ports: VerifyIdentityPorts,
  grant: Grant,
  server: Server,
  token: UnverifiedToken | { readonly opened: Secret },
): Promise<RefreshOutcome> {
  const accessToken =
    "opened" in token
      ? token.opened
      : await ports.sealer.open(
          token.accessToken,
          accessTokenContext({
            ...{ grant: grant.id, server },
            ...{ consentGeneration: token.consentGeneration, attempt: token.attempt },
          }),
        );
  const finding = await ask(ports, grant, server, accessToken);
  const settled = await ports.imported.settle(server.id, grant.id, grant.consentGeneration, finding);
  ports.log.info({ grant: grant.id, server: server.id, outcome: settled }, "identity of an imported grant");
  switch (settled) {
    case "verified":
      return { kind: "refreshed" };
    case "passed":
      return { kind: "fresh" };
    case "waits":
      return { kind: "failed", code: "imanage_unavailable", retryAfterMs: ASK_AGAIN_MS };
    case "another_user":
    case "already_authorized":
      return { kind: "ended", code: "reauthorization_required" };
  }
}

async function ask(
  { identities }: VerifyIdentityPorts,
  { owner }: Grant,
  server: Server,
  accessToken: Secret,
): Promise<IdentityFinding> {
  const outcome = await identities.whoAmI(server, accessToken);
  if (outcome.kind !== "ok") {
    const retryAfterMs = outcome.kind === "throttled" ? outcome.retryAfterMs : 0;
    return { kind: "unknown", againInMs: Math.max(ASK_AGAIN_MS, retryAfterMs) };
  }
  const { user } = outcome.value;
  const same = user.customerId === owner.customerId && isAssertedUser(owner.userId, user);
  return { kind: same ? "same" : "another", user };
}
