import { createHash } from "node:crypto";
import type { Sealer } from "../../src/broker/ports.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { KeyOwner, SealContext, Sealed } from "../../src/domain/sealed.ts";
import { Secret } from "../../src/domain/secret.ts";

/** Seals without keys, opens only with the very same context, and seals nothing for an owner that was not prepared. */
export class MemorySealer implements Sealer {
  readonly #prepared = new Set<KeyOwner>();
  readonly #sealed = new Map<string, { readonly context: string; readonly value: string }>();

  async prepare(owner: KeyOwner): Promise<void> {
    this.#prepared.add(owner);
  }

  async seal(secret: Secret, context: SealContext): Promise<Sealed> {
    if (!this.#prepared.has(context.owner)) throw new Error(`${context.owner} has no data key`);
    const envelope = `sealed-${this.#sealed.size + 1}`;
    this.#sealed.set(envelope, { context: canonical(context), value: secret.reveal() });
    return envelope as Sealed;
  }

  async open(sealed: Sealed, context: SealContext): Promise<Secret> {
    const entry = this.#sealed.get(sealed);
    if (entry === undefined || entry.context !== canonical(context)) throw new Problem("integrity_failure");
    return new Secret(entry.value);
  }

  async fingerprint(owner: KeyOwner, token: Secret): Promise<string> {
    const text = Buffer.from(`${owner} ${token.reveal()}`).toString("base64url");
    return text.slice(-22).padStart(22, "A");
  }

  async digests(owner: KeyOwner, texts: readonly string[]): Promise<readonly string[]> {
    return texts.map((text) =>
      createHash("sha256").update(`${owner} ${text}`).digest("base64url").slice(0, 22),
    );
  }
}

const canonical = (context: SealContext): string =>
  JSON.stringify([
    context.kind,
    context.owner,
    context.record,
    context.server ?? null,
    context.tokenOrigin,
    context.consentGeneration,
    context.attempt,
  ]);
