import type { AccessStore, VendAnswer, VendRequest } from "../broker/access/ports.ts";
import { timing } from "../domain/access-policy.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import type { GrantId } from "../domain/id.ts";
import type { Milliseconds } from "../domain/instant.ts";
import type { LibraryFault } from "../domain/library-standing.ts";
import type { Sealed } from "../domain/sealed.ts";
import {
  auditKey,
  bindingDigest,
  bindingKey,
  claimDigest,
  containmentKey,
  gateKey,
  memberDigest,
  membersKey,
  rateKey,
} from "./keys.ts";
import type { RedisStore } from "./redis-store.ts";

export class RedisAccessStore implements AccessStore {
  readonly #store: RedisStore;
  readonly #auditCap: number;

  /** @param auditCap entries that may wait for export; at the cap tokens stop (design §3.10). */
  constructor(store: RedisStore, auditCap: number) {
    this.#store = store;
    this.#auditCap = auditCap;
  }

  async vend(request: VendRequest): Promise<VendAnswer> {
    const { organisation, client, server, subject, note } = request;
    const digest = bindingDigest(server, client, subject);
    const answer = (await this.#store.run(
      "vend",
      [
        gateKey(organisation),
        bindingKey(organisation, digest),
        auditKey(organisation),
        containmentKey(organisation),
        rateKey(organisation, client),
        membersKey(organisation),
      ],
      [
        client,
        server,
        digest,
        request.policyGeneration,
        request.minTtlMs,
        request.rejected ?? "",
        60_000 / request.tokensPerMinute,
        Math.max(20, Math.ceil(request.tokensPerMinute / 10)),
        request.countsForRate ? 1 : 0,
        this.#auditCap,
        timing.rejectedCoolDownMs,
        note.actor,
        note.requestId,
        note.purpose ?? "",
        note.address ?? "",
        subject.type,
        request.mayWait ? 1 : 0,
        subject.type === "user"
          ? [memberDigest(subject.id), ...(subject.claims ?? []).map(claimDigest)].join(" ")
          : "",
        subject.type === "library" ? subject.id : "",
      ],
    )) as [VendAnswer["kind"], ...(string | number)[]];
    return readAnswer(answer);
  }
}

function readAnswer([kind, ...rest]: [VendAnswer["kind"], ...(string | number)[]]): VendAnswer {
  const grant = rest[0] as GrantId;
  switch (kind) {
    case "served": {
      const [, token, gen, attempt, fingerprint, expiresAt, leftMs, owner, sequence, behind, warning] = rest;
      return {
        kind,
        grant,
        accessToken: token as Sealed,
        consentGeneration: Number(gen),
        attempt: Number(attempt),
        fingerprint: String(fingerprint),
        expiresAt: Number(expiresAt),
        expiresInMs: Number(leftMs) as Milliseconds,
        owner: JSON.parse(String(owner)) as UpstreamUser,
        auditSequence: Number(sequence),
        refreshBehind: behind === "1",
        warning: warning === "" ? undefined : String(warning),
      };
    }
    case "ageing":
    case "stale":
      return { kind, grant };
    case "rejected":
      return { kind, grant, fingerprint: String(rest[1]) };
    case "rejected_again":
      return { kind, grant, retryAfterMs: Number(rest[1]) };
    case "state":
      return { kind, grant, state: rest[1] as "reauthorization_required" | "paused" | "revoked" };
    case "parked":
      return { kind, grant, why: rest[1] as LibraryFault };
    case "contained":
      return { kind, by: String(rest[0]) };
    case "rate_limited":
      return { kind, retryAfterMs: Number(rest[0]) };
    default:
      return { kind };
  }
}
