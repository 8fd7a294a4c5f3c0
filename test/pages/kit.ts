import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express, { type Express } from "express";
import type { AuthorizationPorts } from "../../src/broker/authorization/connect-ports.ts";
import type {
  ApiOutcome,
  AuthorizationRequest,
  AuthorizationStore,
  PageSession,
  PendingCompletion,
} from "../../src/broker/authorization/ports.ts";
import type { GrantBinding } from "../../src/broker/grants/ports.ts";
import { formTokenOf, type LibraryPagePorts } from "../../src/broker/libraries/library-pages.ts";
import type { LibraryAdministration, LibraryBinding, LibrarySync } from "../../src/broker/libraries/ports.ts";
import type { OperatorIdentityProvider } from "../../src/broker/operators/ports.ts";
import type { PortalPorts } from "../../src/broker/portal/ports.ts";
import type { LogFields } from "../../src/broker/ports.ts";
import { clientSecretContext, serverOwner } from "../../src/broker/seal-contexts.ts";
import type { AuditEntry } from "../../src/domain/audit-entry.ts";
import type { Client } from "../../src/domain/client.ts";
import type { ClosedGate } from "../../src/domain/closed-server.ts";
import type { ConnectSession } from "../../src/domain/connect-session.ts";
import type { Grant, UpstreamUser } from "../../src/domain/grant.ts";
import {
  type ClientId,
  type GrantId,
  makeId,
  makeRoute,
  organisationId,
  type ServerId,
} from "../../src/domain/id.ts";
import { days, hours, type Instant, minutes } from "../../src/domain/instant.ts";
import type { LibraryStanding } from "../../src/domain/library-standing.ts";
import { everyone } from "../../src/domain/members.ts";
import type { OperatorSession } from "../../src/domain/operator.ts";
import type { Organisation } from "../../src/domain/organisation.ts";
import { CLIENT_ACTIONS, type Policy } from "../../src/domain/policy.ts";
import type { PortalSession } from "../../src/domain/portal-session.ts";
import { Problem } from "../../src/domain/problem.ts";
import type { TokenCallOutcome } from "../../src/domain/refresh-failure.ts";
import type { Registration } from "../../src/domain/registration.ts";
import { Secret } from "../../src/domain/secret.ts";
import { defaultServerSettings, endpointsOf, type Server } from "../../src/domain/server.ts";
import { sameUser, type UserSubject } from "../../src/domain/subject.ts";
import { buildPages, type PageDeps } from "../../src/pages/build-pages.ts";
import { PATIENCE_MS } from "../../src/pages/send-page.ts";
import { readCertificates } from "../../src/security/certificates.ts";
import { makeHandles } from "../../src/security/handles.ts";
import { CountedRandom } from "../fakes/counted-random.ts";
import { MemoryCalendarStore } from "../fakes/memory-calendar-store.ts";
import { MemoryClientSecrets } from "../fakes/memory-client-secrets.ts";
import { MemoryConfigurationStore } from "../fakes/memory-configuration-store.ts";
import { MemorySealer } from "../fakes/memory-sealer.ts";
import { ruleOf } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { Diagnoses, diagnosisPorts, Probes } from "./diagnosing.ts";

export const BASE_URL = "https://broker.example";
export const IMANAGE = "https://firm.cloudimanage.com";
export const RETURN_URL = "https://app.example/imanage/back?from=profile";

const NOW: Instant = Date.UTC(2026, 2, 4, 14, 5);

/** A firm, its server, an application and an admin, behind ports that hold what theirs MUST. */
export class World {
  now = NOW;
  readonly random = new CountedRandom();
  readonly sealer = new MemorySealer();
  readonly handles = makeHandles(this.random);
  readonly route = makeRoute(this.random.bytes(7));
  readonly logged: (LogFields & { readonly message: string })[] = [];

  server: Server;
  registration!: Registration;
  client: Client;
  /** Other applications of the firm. */
  readonly others = new Map<ClientId, Client>();
  firm: Organisation;
  policy: Policy;
  admin: UpstreamUser = {
    customerId: "5948",
    userId: "DTAYLOR",
    name: "Dana Taylor",
    email: "dana.taylor@firm.example",
  };
  /** Who is signed in at iManage in the browser. */
  atImanage: UpstreamUser = this.admin;
  imanageLibraries: ApiOutcome<readonly LibraryAdministration[]> = { kind: "ok", value: [] };
  redemption: TokenCallOutcome = answered("a-refresh-token");
  redemptions = 0;
  /** Over once iManage answers what its libraries are. */
  reading: Promise<void> = Promise.resolve();
  /** Over once a page no longer waits for iManage before it begins. */
  patience: Promise<void> = new Promise(() => undefined);
  /** Thrown by every port that reads a server. */
  storeFault: Error | undefined;

  readonly sessions = new Map<string, ConnectSession>();
  readonly starts = new Map<string, string>();
  readonly requests = new Map<string, AuthorizationRequest>();
  readonly pending = new Map<string, PendingCompletion>();
  readonly pageSessions = new Map<string, PageSession>();
  readonly grants = new Map<GrantId, Grant>();
  readonly lent = new Map<string, LibraryBinding>();
  readonly standings = new Map<string, LibraryStanding>();
  readonly syncs: LibrarySync[] = [];
  /** What *iManage settings* changes. */
  readonly store = new MemoryConfigurationStore();
  closed: ClosedGate | undefined;
  /** Of the firm's audit. */
  readonly entries: AuditEntry[] = [];
  readonly probes = new Probes();
  readonly diagnoses = new Diagnoses(() => this.now);
  readonly portalLinks = new Map<string, PortalSession>();
  readonly portalVisits = new Map<string, PortalSession>();
  readonly operators = new Map<string, OperatorSession>();
  readonly provider: OperatorIdentityProvider = {
    authorizationUrl: async () => "https://idp.example/authorize?x=1",
    redeem: async () => {
      throw new Problem("operator_sign_in_failed");
    },
  };
  readonly bindings = new Map<GrantId, GrantBinding[]>();
  readonly calendars = new MemoryCalendarStore(() => this.now);

  private constructor() {
    const registration = makeId("reg", this.route, NOW, this.random.bytes(16));
    this.server = {
      v: 1,
      id: makeId("srv", this.route, NOW, this.random.bytes(16)),
      organisation: organisationId(this.route),
      name: "work",
      displayName: "Firm & Partners iManage",
      kind: "cloud-subdomain",
      endpoints: endpointsOf(IMANAGE),
      registration,
      customerId: "5948",
      settings: defaultServerSettings,
      configurationGeneration: 1,
      createdAt: NOW,
    };
    this.client = {
      v: 1,
      id: makeId("cli", undefined, NOW, this.random.bytes(16)),
      name: "checklists",
      displayName: "Matter Checklists",
      secrets: [],
      returnUrls: [RETURN_URL],
      state: "active",
      generation: 1,
      createdAt: NOW,
    };
    this.firm = {
      v: 1,
      id: this.server.organisation,
      name: "firm",
      displayName: "Firm & Partners",
      enabled: true,
      members: everyone,
      createdAt: NOW,
    };
    this.policy = {
      v: 1,
      client: this.client.id,
      organisation: this.firm.id,
      rules: [ruleOf({ actions: CLIENT_ACTIONS })],
      tokensPerMinute: 600,
    };
  }

  static async open(): Promise<World> {
    const world = new World();
    await world.sealer.prepare(serverOwner(world.server));
    const registration = {
      v: 1 as const,
      id: world.server.registration,
      organisation: world.server.organisation,
      name: "work",
      clientId: "client-at-imanage",
      tokenOrigin: IMANAGE,
      generation: 1,
      createdAt: NOW,
    };
    const sealed = await world.sealer.seal(new Secret("s3cret"), clientSecretContext(registration));
    world.registration = { ...registration, secrets: [{ sealed, addedAt: NOW, expiresAt: undefined }] };
    await put.organisation(world.store, world.firm);
    await put.registration(world.store, world.registration);
    await put.server(world.store, world.server);
    return world;
  }

  /** A connect session with its start link. */
  begin(change: Partial<ConnectSession> = {}): { readonly session: ConnectSession; readonly start: string } {
    const session: ConnectSession = {
      v: 1,
      id: makeId("cns", this.route, this.now, this.random.bytes(16)),
      client: this.client.id,
      organisation: this.server.organisation,
      server: this.server.id,
      subject: { type: "user", issuer: "client", id: "u-1" },
      returnUrl: RETURN_URL,
      loginHint: undefined,
      state: "created",
      grant: undefined,
      problem: undefined,
      createdAt: this.now,
      returnedAt: undefined,
      expiresAt: this.now + minutes(15),
      ...change,
    };
    const start = this.handles.make(this.route);
    this.sessions.set(session.id, session);
    this.starts.set(this.handles.digest(start), session.id);
    return { session, start: start.reveal() };
  }

  /** A page's cookie of somebody who is signed in, with his grant. */
  signIn(user: UpstreamUser = this.admin): { readonly cookie: string; readonly csrf: string } {
    const secret = this.handles.make(this.route);
    const session: PageSession = {
      v: 1,
      server: this.server.id,
      user,
      expiresAt: this.now + minutes(30),
    };
    this.pageSessions.set(this.handles.digest(secret), session);
    this.grantOf(user);
    return { cookie: `__Host-imb-page=${secret.reveal()}`, csrf: formTokenOf(this.handles, secret) };
  }

  /** A portal session of the client's person, not opened yet. */
  portalLink(change: Partial<PortalSession> = {}): string {
    const link = this.handles.make(this.route);
    this.portalLinks.set(this.handles.digest(link), {
      v: 1,
      id: makeId("pts", this.route, this.now, this.random.bytes(16)),
      client: this.client.id,
      organisation: this.firm.id,
      subject: { type: "user", issuer: "client", id: "u-1" },
      role: "user",
      displayName: "Dana Taylor",
      upstreamUser: undefined,
      returnUrl: RETURN_URL,
      page: change.role === "organisation_admin" ? "settings" : "my-integrations",
      createdAt: this.now,
      expiresAt: this.now + minutes(5),
      ...change,
    });
    return link.reveal();
  }

  /** The same, opened: the cookie of a visit. */
  visit(change: Partial<PortalSession> = {}): { readonly cookie: string; readonly csrf: string } {
    const session = this.portalLinks.get(this.handles.digest(new Secret(this.portalLink(change))))!;
    const secret = this.handles.make(this.route);
    this.portalVisits.set(this.handles.digest(secret), { ...session, expiresAt: this.now + minutes(30) });
    return { cookie: `__Host-imb-portal=${secret.reveal()}`, csrf: formTokenOf(this.handles, secret) };
  }

  /** Somebody who runs the broker, signed in. */
  operator(change: Partial<OperatorSession> = {}): { readonly cookie: string; readonly csrf: string } {
    const secret = this.handles.make(this.route);
    this.operators.set(this.handles.digest(secret), {
      v: 1,
      issuer: "https://idp.example",
      subject: "olga",
      name: "Olga Operator",
      role: "operator",
      organisations: "all",
      startedAt: this.now,
      expiresAt: this.now + minutes(30),
      ...change,
    });
    return { cookie: `__Host-imb-operator=${secret.reveal()}`, csrf: formTokenOf(this.handles, secret) };
  }

  /** Another application of the firm. */
  another(displayName: string): Client {
    const client: Client = {
      ...this.client,
      id: makeId("cli", undefined, this.now, this.random.bytes(16)),
      name: displayName,
      displayName,
    };
    this.others.set(client.id, client);
    return client;
  }

  /** A person of a client who authorized as `user`. */
  bind(user: UpstreamUser = this.admin, subject = "u-1", client: ClientId = this.client.id): Grant {
    const grant = this.grantOf(user);
    const list = this.bindings.get(grant.id) ?? [];
    list.push({
      type: "user",
      client,
      subject: { type: "user", issuer: "client", id: subject },
      since: this.now - days(40),
    });
    this.bindings.set(grant.id, list);
    return grant;
  }

  grantOf(user: UpstreamUser, change: Partial<Grant> = {}): Grant {
    const known = [...this.grants.values()].find(({ owner }) => owner.userId === user.userId);
    const grant: Grant = {
      ...(known ?? {
        v: 1,
        id: makeId("grt", this.route, this.now, this.random.bytes(16)),
        organisation: this.server.organisation,
        server: this.server.id,
        registration: this.server.registration,
        state: "active",
        owner: user,
        consentGeneration: 1,
        consentedAt: this.now - days(40),
        createdAt: this.now - days(40),
        refreshable: true,
        refreshTokenExpiresAt: this.now + days(325),
        accessTokenExpiresAt: this.now + minutes(20),
        lastRefreshedAt: this.now - hours(3),
        lastUsedAt: this.now,
        dueAt: undefined,
        lastProblem: undefined,
        spares: 0,
      }),
      ...change,
    };
    this.grants.set(grant.id, grant);
    return grant;
  }

  administers(...libraries: (string | Partial<LibraryAdministration>)[]): void {
    this.imanageLibraries = {
      kind: "ok",
      value: libraries.map((library) => ({
        id: "LIB",
        displayName: undefined,
        hidden: false,
        kind: "ordinary",
        adminByOperations: true,
        adminByGroup: false,
        ...(typeof library === "string" ? { id: library } : library),
      })),
    };
  }

  lend(library: string, user: UpstreamUser = this.admin, change: Partial<Grant> = {}): void {
    const grant = this.grantOf(user, change);
    const since = this.now - days(40);
    this.lent.set(library, { server: this.server.id, library, grant: grant.id, lentBy: user, since });
  }

  /** A client's sync of a library. */
  sync(library: string, change: Partial<LibrarySync> = {}): void {
    this.syncs.push({
      id: makeId("syn", this.route, this.now, this.random.bytes(16)),
      client: this.client.id,
      library,
      state: "active",
      lastCompleteAt: this.now - minutes(7),
      lastError: undefined,
      failures: 0,
      ...change,
    });
  }

  app(settings: Partial<PageDeps["settings"]> = {}): Express {
    const app = express();
    app.use(buildPages(this.deps(settings)));
    app.use((_request, response) => void response.status(404).json({ code: "not_found" }));
    return app;
  }

  deps(settings: Partial<PageDeps["settings"]> = {}): PageDeps {
    const ports = this.#ports();
    return {
      authorization: ports,
      // On a whole broker: test/stories/grant-timeline.test.ts.
      grants: { findGrant: async () => undefined, timeline: async () => [] },
      libraries: ports,
      calendar: { ...ports, calendars: this.calendars },
      portal: this.#portal(ports),
      diagnosis: diagnosisPorts(ports, this.probes, this.diagnoses),
      operators: {
        ...ports,
        sessions: {
          insertOperatorSession: async (digest, session) => void this.operators.set(digest, session),
          findOperatorSession: async (digest) => this.operators.get(digest),
          deleteOperatorSession: async (digest) => void this.operators.delete(digest),
        },
        provider: this.provider,
        rules: { operators: [], queues: [], support: [] },
        publicBaseUrl: BASE_URL,
      },
      // On a whole broker: test/stories/operators-containment.test.ts.
      containment: {} as never,
      audit: {
        reader: {
          newest: async () => this.entries.at(-1)?.sequence ?? 0,
          firstSince: async (_journal, at) =>
            this.entries.find(({ fields }) => Number(fields.at) >= at)?.sequence,
          read: async (_journal, after, limit) =>
            this.entries.filter(({ sequence }) => sequence > after).slice(0, limit),
          readBack: async (_journal, before = Number.POSITIVE_INFINITY, limit) =>
            this.entries
              .filter(({ sequence }) => sequence < before)
              .reverse()
              .slice(0, limit),
        },
        clients: { listClients: async () => [this.client], organisationsOf: async () => [this.firm.id] },
        cursors: { seal: (text) => text, open: (text) => text },
        keptDays: 30,
      },
      operatorViews: {
        organisations: {
          listOrganisations: async () => [this.firm],
          listServers: async () => [this.server],
          listClients: async () => [],
          findOrganisationByName: async () => this.firm,
          findServerByName: async () => this.server,
          findClientByName: async () => undefined,
        },
        gates: { findClosedGate: async () => this.closed },
      },
      // In place, so that a test may change it later.
      settings: Object.assign(settings, {
        publicBaseUrl: BASE_URL,
        otherBaseUrls: [],
        productName: "Token Broker for iManage Work",
        supportContact: "it-help@firm.example",
        plainCookies: false,
        logo: undefined,
        ...settings,
      }),
      log: ports.log,
      requestIdOf: () => "req_0123456789",
    };
  }

  #ports(): LibraryPagePorts {
    const log = (fields: LogFields, message: string) => void this.logged.push({ ...fields, message });
    const { random, sealer, handles } = this;
    const never = () => {
      throw new Error("not of the pages");
    };
    const ports: AuthorizationPorts = {
      clock: { now: () => this.now, monotonicMs: () => this.now },
      timers: {
        every: never,
        after: (ms) => ({
          elapsed: ms === PATIENCE_MS ? this.patience : Promise.resolve(),
          cancel: () => undefined,
        }),
      },
      random,
      log: { info: log, warn: log, error: log },
      sealer,
      handles,
      organisations: { findOrganisation: async (id) => (id === this.firm.id ? this.firm : undefined) },
      publicBaseUrl: BASE_URL,
      profiles: {
        findProfile: async () => ({
          rotation: undefined,
          previousAccessTokens: undefined,
          codeLifeMs: undefined,
        }),
        learnPreviousAccessTokens: never,
        learnLateCode: never,
      },
      stops: { findStop: async () => undefined },
      signIns: {
        noteLeft: async () => {},
        noteBack: async () => {},
        noteGood: async () => {},
        noteFailed: async () => {},
        notePkce: async () => {},
        findSignIns: never,
      },
      authorizations: this.#authorizations(),
      consents: {
        findConsent: async (_server, user) => {
          const grant = [...this.grants.values()].find(({ owner }) => owner.userId === user.userId);
          return grant && { grant: grant.id, consentGeneration: grant.consentGeneration };
        },
        putConsent: async (consent, binding) => {
          const known = this.grants.get(consent.grant);
          if ((known?.consentGeneration ?? 0) !== consent.consentGeneration - 1) return "stale";
          const { consentGeneration } = consent;
          const grant = this.grantOf(consent.user, {
            id: consent.grant,
            state: "active",
            consentGeneration,
            consentedAt: this.now,
          });
          if (binding !== undefined) {
            const list = this.bindings.get(grant.id) ?? [];
            this.bindings.set(grant.id, [...list, { ...binding, since: this.now }]);
          }
          return "stored";
        },
      },
      grants: { findGrant: async (id) => this.grants.get(id) },
      servers: {
        findServer: async (id) => {
          if (this.storeFault !== undefined) throw this.storeFault;
          return id === this.server.id ? this.server : undefined;
        },
        findRegistration: async (id) => (id === this.server.registration ? this.registration : undefined),
      },
      clients: {
        findClient: async (id) => (id === this.client.id ? this.client : this.others.get(id)),
        findPolicy: async (client) => ({
          policy: client === this.client.id ? this.policy : undefined,
          generation: 1,
          mark: "",
        }),
      },
      authorizationServer: {
        authorizationUrl: async ({ clientId, redirectUri, state, loginHint }) => {
          const url = new URL(`${IMANAGE}/auth/oauth2/authorize`);
          const members = { response_type: "code", client_id: clientId, redirect_uri: redirectUri };
          for (const [name, value] of Object.entries(members)) url.searchParams.set(name, value);
          url.searchParams.set("state", state.reveal());
          if (loginHint !== undefined) url.searchParams.set("login_hint", loginHint);
          return url.href;
        },
        redeemCode: async () => {
          this.redemptions += 1;
          return this.redemption;
        },
        refresh: never,
        revoke: async () => "revoked",
      },
      identities: {
        whoAmI: async () => ({
          kind: "ok",
          value: { user: this.atImanage, apiRoot: `${IMANAGE}/work/api/v2`, dmsVersion: undefined },
        }),
      },
      libraries: {
        listLibraries: async (_server, _user, _token, only) => {
          await this.reading;
          return this.imanageLibraries.kind !== "ok" || only === undefined
            ? this.imanageLibraries
            : { kind: "ok", value: this.imanageLibraries.value.filter(({ id }) => only.has(id)) };
        },
        findUser: never,
      },
    };
    return {
      ...ports,
      lent: {
        findLibrary: async (_server, library) => this.lent.get(library),
        listLibraries: async () => [...this.lent.values()],
        lendLibraries: async (grant, server, libraries) =>
          libraries.map(({ library, replaces }) => {
            const owner = this.grants.get(grant)!.owner;
            const before = this.lent.get(library)?.lentBy;
            if (before !== undefined && before.userId !== owner.userId && before.userId !== replaces?.userId)
              return "lent_by_another";
            this.lent.set(library, { server, library, grant, lentBy: owner, since: this.now });
            return "lent";
          }),
        withdrawLibrary: async (server: ServerId, library, note) => {
          if (server !== this.server.id || !note.actor.startsWith("user:")) throw new Error("not his");
          return this.lent.delete(library) ? "withdrawn" : "not_lent";
        },
      },
      standings: { listStandings: async () => this.standings, putStanding: never },
      memory: {
        listUses: async () => [],
        noteAdmin: async () => {},
        listAdmins: async () => [],
        noteListed: async () => {},
        listKnown: async () => [],
        findRights: async () => undefined,
        putRights: async () => {},
        forgetRights: async () => {},
      },
      gates: { findClosedGate: async () => this.closed },
      diagnoses: this.diagnoses,
      syncs: { listLibrarySyncs: async () => this.syncs },
      ownTokens: {
        open: async (id) => {
          const grant = this.grants.get(id);
          if (grant?.state !== "active") throw new Problem("reauthorization_required");
          return new Secret("own-token");
        },
      },
    };
  }

  #portal(ports: AuthorizationPorts): PortalPorts {
    const isOf = (client: ClientId, subject: UserSubject) => (binding: GrantBinding) =>
      binding.type === "user" && binding.client === client && sameUser(binding.subject, subject);
    const grantOf = (client: ClientId, subject: UserSubject) =>
      [...this.bindings].find(([, list]) => list.some(isOf(client, subject)))?.[0];
    return {
      ...ports,
      portal: {
        insertPortalLink: async (_route, digest, session) => void this.portalLinks.set(digest, session),
        takePortalLink: async (_route, digest) => {
          const session = take(this.portalLinks, digest, (found) => found);
          return session !== undefined && session.expiresAt > this.now ? session : undefined;
        },
        insertPortalVisit: async (_route, digest, session) => void this.portalVisits.set(digest, session),
        findPortalVisit: async (_route, digest) => this.portalVisits.get(digest),
        deletePortalVisit: async (_route, digest) => void this.portalVisits.delete(digest),
      },
      gates: { findClosedGate: async () => this.closed },
      diagnoses: this.diagnoses,
      packages: { make: async () => new Uint8Array([0x50, 0x4b]) },
      configuration: {
        store: this.store,
        sealer: this.sealer,
        clientSecrets: new MemoryClientSecrets(),
        clock: ports.clock,
        random: this.random,
        addressRules: { loopbackOrigins: [], loopbackReturnUrls: false },
        readCertificates: (pem) => readCertificates(pem, this.now),
      },
      grants: {
        countGrants: async () => this.grants.size,
        findGrant: async (id) => this.grants.get(id),
        findUserGrant: async (_server, client, subject) => grantOf(client, subject),
        listBindings: async (id) => this.bindings.get(id) ?? [],
        unbindUser: async (_server, client, subject, note, from) => {
          if (!note.actor.startsWith("person:")) throw new Error("nobody asked for it");
          const id = grantOf(client, subject);
          if (id === undefined || (from !== undefined && from !== id)) return undefined;
          const left = this.bindings.get(id)!.filter((binding) => !isOf(client, subject)(binding));
          this.bindings.set(id, left);
          if (left.length === 0) this.grants.delete(id);
          return id;
        },
      },
      organisations: {
        findOrganisation: ports.organisations.findOrganisation,
        listServers: async () => [this.server],
      },
      revoker: { revokeSoon: () => undefined },
    };
  }

  #authorizations(): AuthorizationStore {
    return {
      insertConnectSession: async (session, digest) => {
        this.sessions.set(session.id, session);
        this.starts.set(digest, session.id);
      },
      findConnectSession: async (id) => this.sessions.get(id),
      advanceConnectSession: async (id, from, change) => {
        const session = this.sessions.get(id);
        if (session === undefined || !from.includes(session.state)) return { moved: false, session };
        const next = { ...session, ...change };
        this.sessions.set(id, next);
        return { moved: true, session: next };
      },
      takeStart: async (_route, digest) => take(this.starts, digest, (id) => this.sessions.get(id)),
      insertAuthorizationRequest: async (_route, digest, request) => void this.requests.set(digest, request),
      takeAuthorizationRequest: async (_route, digest, { cookieDigests, registration }) => {
        const request = this.requests.get(digest);
        if (request === undefined) return "unknown";
        if (!cookieDigests.includes(request.cookieDigest)) return "other_browser";
        if (request.registration !== registration) return "other_registration";
        this.requests.delete(digest);
        return request;
      },
      insertPendingCompletion: async (_route, digest, pending) => void this.pending.set(digest, pending),
      takePendingCompletion: async (_route, digest) => take(this.pending, digest, (pending) => pending),
      insertPageSession: async (_route, digest, session) => void this.pageSessions.set(digest, session),
      findPageSession: async (_route, digest) => this.pageSessions.get(digest),
      deletePageSession: async (_route, digest) => void this.pageSessions.delete(digest),
    };
  }
}

export const answered = (refreshToken: string | undefined): TokenCallOutcome => ({
  kind: "answered",
  salvaged: false,
  answer: {
    accessToken: new Secret("an-access-token"),
    refreshToken: refreshToken === undefined ? undefined : new Secret(refreshToken),
    accessTokenLifeMs: minutes(30),
    scope: "user",
  },
});

function take<K, V, T>(map: Map<K, V>, key: K, of: (value: V) => T): T | undefined {
  const value = map.get(key);
  map.delete(key);
  return value === undefined ? undefined : of(value);
}

/** `name=value` of every cookie that an answer sets, ready to be sent back; cleared ones are left out. */
export const cookiesOf = (headers: Record<string, unknown>): string =>
  ((headers["set-cookie"] as string[] | undefined) ?? [])
    .filter((cookie) => !cookie.includes("Max-Age=0"))
    .map((cookie) => cookie.split(";")[0])
    .join("; ");

/** A world behind one listener and kept connections, for tests that ask thousands of times. */
export interface Served {
  readonly origin: string;
  get(path: string, cookie?: string): Promise<Answer>;
  post(path: string, cookie: string, form: Record<string, string>): Promise<Answer>;
  close(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly location: string;
  readonly cookies: string;
}

export async function serve(world: World, settings: Partial<PageDeps["settings"]>): Promise<Served> {
  const app = world.app(settings);
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const answer = await fetch(origin + path, { redirect: "manual", ...init });
    return {
      status: answer.status,
      text: await answer.text(),
      location: answer.headers.get("Location") ?? "",
      cookies: cookiesOf({ "set-cookie": answer.headers.getSetCookie() }),
    };
  };
  return {
    origin,
    get: (path, cookie = "") => ask(path, { headers: { Cookie: cookie, Accept: "text/html" } }),
    post: (path, cookie, form) =>
      ask(path, {
        method: "POST",
        headers: { Cookie: cookie, "Sec-Fetch-Site": "same-origin" },
        body: new URLSearchParams(form),
      }),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
