import type { GrantId } from "../../domain/id.ts";
import type { Milliseconds } from "../../domain/instant.ts";
import { seconds } from "../../domain/instant.ts";
import { Problem } from "../../domain/problem.ts";
import type { Sealed } from "../../domain/sealed.ts";
import type { Secret } from "../../domain/secret.ts";
import type { ServerDirectory } from "../authorization/ports.ts";
import type { GrantStore } from "../grants/ports.ts";
import type { Clock, Sealer } from "../ports.ts";
import type { RefreshStore } from "../refresh/ports.ts";
import { type GrantRefresher, gateCode } from "../refresh/refresh-grant.ts";
import { accessTokenContext } from "../seal-contexts.ts";

/** Reads a grant's access token without handing it out: no audit entry, because it never leaves the broker. */
export interface OwnTokenStore {
  readAccessToken(
    grant: GrantId,
    minTtlMs: Milliseconds,
  ): Promise<
    | { readonly accessToken: Sealed; readonly consentGeneration: number; readonly attempt: number }
    /** Tokens of it are stopped: for the broker too. */
    | "contained"
    | undefined
  >;
}

export interface OwnTokenPorts {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly sealer: Sealer;
  readonly grants: Pick<GrantStore, "findGrant">;
  readonly servers: Pick<ServerDirectory, "findServer">;
  readonly tokens: OwnTokenStore;
  readonly refreshes: Pick<RefreshStore, "outcome" | "heard">;
  readonly refresher: GrantRefresher;
}

const MIN_TTL_MS = seconds(30);

/** An access token for what the broker itself does at iManage in a person's name: on a page that he has open, or to look after a library that he lent. */
export async function openOwnToken(ports: OwnTokenPorts, grant: GrantId): Promise<Secret> {
  const known = await ports.grants.findGrant(grant);
  const server = known && (await ports.servers.findServer(known.server));
  if (server === undefined) throw new Problem("reauthorization_required");
  for (let tries = 0; tries < 4; tries++) {
    const heard = ports.refreshes.heard;
    const stored = await ports.tokens.readAccessToken(grant, MIN_TTL_MS);
    if (stored === "contained") throw new Problem("contained");
    if (stored !== undefined) {
      return ports.sealer.open(stored.accessToken, accessTokenContext({ ...stored, grant, server }));
    }
    const outcome = await ports.refresher.refresh(grant, { why: "expired", minTtlMs: MIN_TTL_MS });
    if (outcome.kind === "ended") throw new Problem(outcome.code);
    if (outcome.kind === "failed") throw new Problem(outcome.code, { retryAfterMs: outcome.retryAfterMs });
    if (outcome.kind === "gated" && outcome.why !== "busy") {
      throw new Problem(gateCode(outcome.why), { retryAfterMs: outcome.retryAfterMs });
    }
    if (outcome.kind === "gated") await ports.refreshes.outcome(server.id, outcome.retryAfterMs);
    if (outcome.kind === "held") {
      // What was announced since the token was read counts: it may have come before the answer that says to wait.
      await ports.refreshes.outcome(grant, outcome.remainingMs, heard);
    }
  }
  throw new Problem("refresh_pending", { retryAfterMs: seconds(2) });
}
