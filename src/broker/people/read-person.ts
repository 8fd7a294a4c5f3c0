import type { ClientId, OrganisationId } from "../../domain/id.ts";
import type { Organisation } from "../../domain/organisation.ts";
import { Problem } from "../../domain/problem.ts";
import type { Secret } from "../../domain/secret.ts";
import { CLIENT_ISSUER, type UserSubject } from "../../domain/subject.ts";
import { judgeUserAssertion, subjectOfAssertion, userAssertionLimits } from "../../domain/user-assertion.ts";
import type { AssertionReader, ClientStore } from "../clients/ports.ts";
import type { Clock, Log } from "../ports.ts";
import type { ProviderKeys } from "./provider-keys.ts";

export interface PersonPorts {
  readonly clock: Clock;
  readonly log: Pick<Log, "info">;
  readonly clients: Pick<ClientStore, "findPolicy">;
  readonly organisations: { findOrganisation(id: OrganisationId): Promise<Organisation | undefined> };
  readonly assertions: AssertionReader;
  readonly providerKeys: ProviderKeys;
}

/** Who a client says that it asks for: by its own word, or by what the organisation's identity provider signed. */
export type ToldPerson = UserSubject | { readonly type: "assertion"; readonly token: Secret };

export interface Teller {
  readonly client: ClientId;
  readonly organisation: OrganisationId;
  readonly requestId: string;
}

/**
 * Of whom a client speaks. People for whom an organisation's identity provider vouches are known by its word alone: a client
 * that has been taken over cannot name them.
 * @throws Problem not_found, invalid_request, user_assertion_refused, identity_provider_unavailable
 */
export async function readPerson(ports: PersonPorts, told: ToldPerson, teller: Teller): Promise<UserSubject> {
  if (told.type === "assertion") return readAssertion(ports, told.token, teller);
  // The way of nearly all requests: nothing is looked up.
  if (told.issuer === CLIENT_ISSUER) return told;
  const organisation = await ports.organisations.findOrganisation(teller.organisation);
  if (organisation?.identityProvider?.issuer !== told.issuer) return told;
  // Whoever has no policy here must not learn who the provider is.
  await mustKnow(ports, teller);
  throw new Problem("invalid_request", {
    faults: [
      {
        field: "subject.issuer",
        message:
          "is the organisation's identity provider: send what it signed, as a subject of type assertion",
      },
    ],
  });
}

async function readAssertion(ports: PersonPorts, token: Secret, teller: Teller): Promise<UserSubject> {
  const { clock, log, assertions, providerKeys } = ports;
  await mustKnow(ports, teller);
  const organisation = await ports.organisations.findOrganisation(teller.organisation);
  if (organisation === undefined) throw new Problem("not_found");
  const { identityProvider: provider, members } = organisation;
  if (provider === undefined) {
    throw new Problem("invalid_request", {
      detail:
        "This organisation has no identity provider here: its operator names one as identity_provider. Until then say who the user is by your own id of him.",
    });
  }
  const refuse = (because: string, says: string): Problem => {
    const { requestId, client } = teller;
    log.info(
      { requestId, client, organisation: organisation.id, code: `user_assertion_${because}` },
      "user assertion refused",
    );
    return new Problem("user_assertion_refused", { detail: says });
  };
  const text = assertions.read(token, userAssertionLimits.bytes);
  if (text === "too_large") throw refuse(text, "The assertion is longer than 16 KiB.");
  if (text === "malformed") throw refuse(text, "The assertion is no signed JWT in compact form.");
  const form = judgeUserAssertion(text, provider, clock.now());
  if (!form.ok) throw refuse(form.fault, form.says);
  const keys = await providerKeys.find(organisation.id, provider, form.kid);
  if (keys === undefined) throw new Problem("identity_provider_unavailable", { retryAfterMs: 60_000 });
  const verdict = await assertions.verify(token, keys, form.alg);
  if (verdict !== "fits")
    throw refuse(verdict, "No key of the organisation's identity provider signed the assertion.");
  return subjectOfAssertion(provider, form.subject, text.claims, members);
}

/** Organisations are invisible to who has no policy there. */
async function mustKnow({ clients }: PersonPorts, { client, organisation }: Teller): Promise<void> {
  const { policy } = await clients.findPolicy(client, organisation);
  if (policy === undefined) throw new Problem("not_found");
}
