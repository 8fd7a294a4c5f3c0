import type { AccessStore, Rehearsal, VendAnswer, VendRequest } from "../broker/access/ports.ts";
import { timing } from "../domain/access-policy.ts";
import type { UpstreamUser } from "../domain/grant.ts";
import type { ContainmentId, GrantId, OrganisationId } from "../domain/id.ts";
import { hours, type Milliseconds, minutes } from "../domain/instant.ts";
import type { LibraryFault } from "../domain/library-standing.ts";
import { isMember } from "../domain/members.ts";
import type { Organisation } from "../domain/organisation.ts";
import type { Sealed } from "../domain/sealed.ts";
import {
  bindingDigest,
  claimDigest,
  gateKey,
  grantBudgetKey,
  memberDigest,
  organisationKey,
  policyKey,
  rateKey,
} from "./keys.ts";
import { readOrganisation } from "./records.ts";
import type { RedisStore } from "./redis-store.ts";
import { markOf, type SealedRecords } from "./sealed-records.ts";

export class RedisAccessStore implements AccessStore {
  readonly #store: RedisStore;
  readonly #auditCap: number;
  readonly #sealed: SealedRecords;
  readonly #organisations = new Map<OrganisationId, { mark: string; record: Organisation | undefined }>();

  /** @param auditCap entries that may wait for export; at the cap tokens stop (design §3.10). */
  constructor(store: RedisStore, auditCap: number, sealed: SealedRecords) {
    this.#store = store;
    this.#auditCap = auditCap;
    this.#sealed = sealed;
  }

  async vend(request: VendRequest): Promise<VendAnswer> {
    const answer = await this.#run(request, false);
    if (answer.kind === "would_serve") throw new Error("invariant: nobody was only asking");
    return answer;
  }

  async rehearse(request: VendRequest): Promise<Rehearsal> {
    const { organisation, client, tokensPerMinute } = request;
    const answer = await this.#run(request, true);
    if (answer.kind === "served") throw new Error("invariant: somebody was only asking");
    const now = await this.#store.now();
    const [tat, had] = await this.#store.call((redis) =>
      Promise.all([
        redis.get(rateKey(organisation, client)),
        redis.zcount(grantBudgetKey(organisation, client), `(${now - hours(1)}`, "+inf"),
      ]),
    );
    const ahead = Math.max(0, Number(tat ?? 0) - now);
    const tokensLeft = Math.floor(burstOf(tokensPerMinute) - ahead / emissionMs(tokensPerMinute));
    return { answer, tokensLeft: Math.max(0, tokensLeft), grantsHad: had };
  }

  async #run(request: VendRequest, asking: boolean): Promise<VendAnswer | Rehearsal["answer"]> {
    const { organisation, client, server, subject, note } = request;
    const digest = bindingDigest(server, client, subject);
    const answer = (await this.#store.run(
      "vend",
      [gateKey(organisation)],
      [
        client,
        server,
        digest,
        request.policyGeneration,
        request.minTtlMs,
        request.rejected ?? "",
        emissionMs(request.tokensPerMinute),
        burstOf(request.tokensPerMinute),
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
        request.grantsPerHour ?? "",
        asking ? 1 : 0,
      ],
    )) as Told;
    if (answer[0] === "served" || answer[0] === "would_serve") {
      const [organisationMark, policyMark] = answer.splice(-2) as [string, string];
      const refused = await this.#unlikeRecords(request, organisationMark, policyMark);
      if (refused !== undefined) return refused;
    }
    return readAnswer(answer);
  }

  /**
   * The script reads a gate, a set of members and a generation, which whoever writes to Redis can set. What it let through
   * is compared with the records, which he cannot (T25); those that were read last are at hand.
   */
  async #unlikeRecords(
    { organisation: id, client, subject, policyMark: expected }: VendRequest,
    organisationMark: string,
    policyMark: string,
  ): Promise<VendAnswer | undefined> {
    if (policyMark !== expected) throw this.#sealed.refused(policyKey(id, client), policyMark);
    let known = this.#organisations.get(id);
    if (known?.mark !== organisationMark) {
      const key = organisationKey(id);
      const stored = await this.#store.call((redis) => redis.get(key));
      known = { mark: markOf(stored), record: this.#sealed.read(key, stored, readOrganisation) };
      this.#organisations.set(id, known);
    }
    const { record, mark } = known;
    const why =
      record?.enabled !== true
        ? "disabled"
        : subject.type === "user" && !isMember(record.members, { ...subject, claims: subject.claims ?? [] })
          ? "not_a_member"
          : undefined;
    if (why === undefined) return undefined;
    // Changed since the script looked: the change counts. The same record, and yet let through: somebody else wrote the gate.
    if (mark !== organisationMark) return { kind: why };
    throw this.#sealed.refused(gateKey(id), mark);
  }
}

type Told = [(VendAnswer | Rehearsal["answer"])["kind"], ...(string | number)[]];

/** GCRA: one every so often, and so many at once. */
const emissionMs = (tokensPerMinute: number): Milliseconds => minutes(1) / tokensPerMinute;
const burstOf = (tokensPerMinute: number): number => Math.max(20, Math.ceil(tokensPerMinute / 10));

function readAnswer([kind, ...rest]: Told): VendAnswer | Rehearsal["answer"] {
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
    case "would_serve":
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
      return { kind, by: String(rest[0]), containment: rest[1] as ContainmentId };
    case "budget_exceeded":
      return { kind, grant, retryAfterMs: Number(rest[1]), noted: rest[2] === 1 };
    case "rate_limited":
      return { kind, retryAfterMs: Number(rest[0]) };
    default:
      return { kind };
  }
}
