import { Problem } from "../../domain/problem.ts";
import type { Server, TrustedCertificates } from "../../domain/server.ts";
import { tokenOriginOf } from "../seal-contexts.ts";
import { applyConfiguration, type ChangeOptions } from "./apply-configuration.ts";
import { type ChangeOutcome, type ChangePorts, outcomeOf } from "./change-organisation.ts";

/** PEM whose authorities join those that are there, or the fingerprint of the one that goes. */
export type AuthoritiesChange = { readonly add: string } | { readonly remove: string };

/**
 * A server's own certificate authorities and nothing else of it: a server told anew would have its settings put back to
 * their defaults.
 * @throws Problem invalid_request, with the reader's fault | not_found for a server on a shared registration: whom it is
 * safe to tell that client secret, its operator says
 */
export async function changeAuthorities(
  ports: ChangePorts,
  server: Server,
  change: AuthoritiesChange,
  options: ChangeOptions,
): Promise<ChangeOutcome> {
  const { store } = ports;
  const organisation = await store.findOrganisation(server.organisation);
  const registration = await store.findRegistration(server.registration);
  if (organisation === undefined || registration?.organisation === undefined) throw new Problem("not_found");
  const { name, displayName, kind, endpoints, settings, trustedCertificates: before } = server;
  const own = {
    name: registration.name,
    // Undefined: as it is stored, whatever that is by now.
    clientId: undefined,
    secret: undefined,
    secretExpiresAt: undefined,
    tokenOrigin: tokenOriginOf(server),
  };
  const trustedCertificates = "add" in change ? joined(ports, before, change.add) : without(before, change);
  const wanted = {
    name,
    displayName,
    kind,
    endpoints,
    settings,
    trustedCertificates,
    customerId: undefined,
    registration: { own },
  };
  const applied = await applyConfiguration(
    { ...ports, secretSource: { read: async () => ({ fault: "is not asked for" }) } },
    {
      sharedRegistrations: [],
      organisations: [{ name: organisation.name, servers: [wanted] }],
      clients: [],
    },
    options,
  );
  return outcomeOf(applied, server.id);
}

/** What is entered is read alone first, so that a fault counts the certificates that somebody has before him. */
function joined(ports: ChangePorts, before: TrustedCertificates | undefined, pem: string) {
  const entered = read(ports, pem);
  const known = new Set(entered.certificates.map(({ fingerprint }) => fingerprint));
  const now = ports.clock.now();
  // What has expired meanwhile vouches for nobody, and the reader would refuse it.
  const kept = each(before).filter(
    ({ certificate: { fingerprint, expiresAt } }) => expiresAt > now && !known.has(fingerprint),
  );
  return read(ports, [...kept.map((one) => one.pem), entered.pem].join("\n"));
}

function read({ readCertificates }: ChangePorts, pem: string): TrustedCertificates {
  const reading = readCertificates(pem);
  if ("fault" in reading)
    throw new Problem("invalid_request", {
      faults: [{ field: "ca_certificates", message: reading.fault }],
    });
  return reading;
}

function without(
  before: TrustedCertificates | undefined,
  { remove }: { readonly remove: string },
): TrustedCertificates | undefined {
  const left = each(before).filter(({ certificate }) => certificate.fingerprint !== remove);
  return left.length === 0
    ? undefined
    : { pem: left.map(({ pem }) => pem).join("\n"), certificates: left.map((one) => one.certificate) };
}

/** Both lists are in the same order: the reader wrote them so. */
function each(trusted: TrustedCertificates | undefined) {
  const pems = trusted?.pem.split(/\n(?=-----BEGIN )/) ?? [];
  return (trusted?.certificates ?? []).map((certificate, at) => ({ certificate, pem: pems[at] ?? "" }));
}
