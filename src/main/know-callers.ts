import type { ClientPorts } from "../broker/clients/authenticate-client.ts";
import { FailedProofs } from "../broker/clients/failed-proofs.ts";
import type { BrokerTokens, ClientSecrets } from "../broker/clients/ports.ts";
import { PublishedKeys } from "../broker/clients/published-keys.ts";
import { RecentClients } from "../broker/clients/recent-clients.ts";
import { makeSecretRenewal } from "../broker/clients/renew-secret-hmac.ts";
import { TokensOnTheirWay } from "../broker/clients/tokens-on-their-way.ts";
import { clientsUncontained } from "../broker/containment/refuse-contained.ts";
import { ProviderKeys } from "../broker/people/provider-keys.ts";
import type { PersonPorts } from "../broker/people/read-person.ts";
import type { Clock } from "../broker/ports.ts";
import type { OperatorLog } from "../ops/log.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { makePublicDocuments } from "../outbound/public-documents.ts";
import { makeAssertionReader } from "../security/client-assertions.ts";
import { ClientAuthorities, makeClientCertificates } from "../security/client-certificates.ts";
import { makeTokenEncrypter } from "../security/token-encrypter.ts";
import type { Stores } from "./open-stores.ts";

/** By what clients prove themselves, and whose word says who a person is. */
export function knowCallers(by: {
  readonly clock: Clock;
  readonly log: OperatorLog;
  /** What assertions of clients are addressed to. */
  readonly issuer: string;
  readonly stores: Stores;
  readonly outbound: Outbound;
  readonly clientSecrets: ClientSecrets;
  readonly brokerTokens: BrokerTokens;
}) {
  const { clock, log, stores, clientSecrets } = by;
  const { configuration, proofs } = stores;
  const clientAuthorities = new ClientAuthorities();
  const documents = makePublicDocuments(by.outbound);
  const publishedKeys = new PublishedKeys({ clock, log, documents });
  // Whoever asks whether a client may come in, or people in its name, sees one that is contained everywhere as stopped.
  const letIn = clientsUncontained(configuration, stores.containment);
  const recentClients = new RecentClients(letIn, clock);
  stores.clientChanged.each((id) => recentClients.forget(id));
  stores.clientChanged.eachWrittenHere(() => recentClients.forgetAll());
  const clients: ClientPorts = {
    clock,
    log,
    clients: letIn,
    recentClients,
    clientSecrets,
    brokerTokens: by.brokerTokens,
    certificates: makeClientCertificates(clientAuthorities),
    issuer: by.issuer,
    assertions: makeAssertionReader(),
    proofs,
    failedProofs: new FailedProofs({ clock, log, proofs }),
    publishedKeys,
    secretShown: makeSecretRenewal({ clock, clientSecrets, store: configuration, log }),
  };
  const people: PersonPorts = {
    clock,
    log,
    clients: configuration,
    organisations: configuration,
    assertions: clients.assertions,
    providerKeys: new ProviderKeys({ clock, log, documents, publishedKeys }),
  };
  const tokensOnTheirWay = new TokensOnTheirWay(configuration, makeTokenEncrypter());
  return { letIn, clients, people, clientAuthorities, tokensOnTheirWay };
}
