import { describe, expect, it } from "vitest";
import type { EventKind } from "../../src/domain/event-kinds.ts";
import { type ClientId, eventId, type OrganisationId, type ServerId } from "../../src/domain/id.ts";
import type { PolicyRule } from "../../src/domain/policy.ts";
import type { StoredEvent } from "../../src/events/ports.ts";
import { laneOf, tellEvent } from "../../src/events/tell-event.ts";
import { ruleOf } from "../kit/policies.ts";
import { identities } from "../sync/kit.ts";

const { organisation, server, client } = identities();
const another = identities();

const at = (kind: EventKind, fields: Record<string, string> = {}, bindings: object[] = []): StoredEvent => ({
  id: eventId(organisation as OrganisationId, { number: 7, at: 1_800_000_000_000 }),
  organisation: organisation as OrganisationId,
  position: { number: 7, at: 1_800_000_000_000 },
  kind,
  fields: {
    server,
    ...(bindings.length > 0 && { bindings: JSON.stringify(bindings) }),
    ...fields,
  },
  bindings: bindings as never,
});

/** What the client is told, with this rule; undefined: nothing. */
const told = (event: StoredEvent, rule: Partial<PolicyRule> = {}) =>
  tellEvent(
    event,
    {
      client: client as ClientId,
      address: undefined,
      policy: {
        v: 1,
        client: client as ClientId,
        organisation: organisation as OrganisationId,
        rules: [ruleOf({ actions: ["events"], ...rule })],
        tokensPerMinute: 1,
      },
    },
    1_800_000_000_000,
  )?.data;

const userOf = (of: string, id = "u-1", issuer = "client") => ({
  type: "user",
  client: of,
  subject: { type: "user", issuer, id },
});
const library = (name: string) => ({ type: "library", library: name });
const elsewhere: Partial<PolicyRule> = { servers: [another.server as ServerId] };

describe("who is told what", () => {
  it("of a grant: his own users and the libraries that his rules name, and of nobody else that they are there", () => {
    const bindings = [
      userOf(client),
      userOf(client, "u-2", "https://idp.example"),
      userOf(another.client, "u-3"),
      ...[library("ACTIVE"), library("SECRET")],
    ];
    const event = at("grant.revoked", { grant: "grt_1", reason: "withdrawn", secret: "no" }, bindings);
    const ofIdp = { issuer: "https://idp.example", id: "u-2" };
    expect(told(event, { libraries: ["ACTIVE"], users: [ofIdp] })).toEqual({
      ...{ organisation, server, grant: "grt_1", reason: "withdrawn" },
      subjects: [
        { type: "user", id: "u-2", issuer: "https://idp.example" },
        { type: "library", id: "ACTIVE" },
      ],
    });
    expect(told(event, { libraries: [], users: [] })).toBeUndefined();
    expect(told(event, elsewhere)).toBeUndefined();
    expect(told(event, { actions: ["token", "status", "sync", "audit"] })).toBeUndefined();
    expect(told(at("grant.revoked", { grant: "grt_1" }, [userOf(another.client)]))).toBeUndefined();
    expect(told(at("grant.revoked", { grant: "grt_1", bindings: "[]" }))).toBeUndefined();
  });

  it("of a sync: its own alone, while its library is his to know", () => {
    const own = { sync: "syn_1", client, library: "ACTIVE", changes: "3", scan: "1" };
    const data = { organisation, server, sync: "syn_1", library: "ACTIVE", changes: 3, scan: true };
    expect(told(at("sync.completed", own))).toEqual(data);
    expect(told(at("sync.completed", { ...own, client: another.client }))).toBeUndefined();
    expect(told(at("sync.completed", own), { libraries: ["OTHER"] })).toBeUndefined();
    expect(told(at("sync.completed", own), elsewhere)).toBeUndefined();
    const parked = { ...own, code: "reauthorization_required" };
    expect(told(at("sync.parked", parked))).toMatchObject({ remedy: "resource-owner" });
  });

  it("of servers and libraries: those that his rules name", () => {
    expect(told(at("server.recovered"))).toEqual({ organisation, server });
    expect(told(at("server.recovered"), elsewhere)).toBeUndefined();
    expect(told(at("library.parked", { library: "A" }), { libraries: ["A"] })).toBeDefined();
    expect(told(at("library.parked", { library: "B" }), { libraries: ["A"] })).toBeUndefined();
  });

  it("of a test: who asked for it", () => {
    expect(told(at("test", { client, to: "sub_1" }))).toEqual({ organisation, subscription: "sub_1" });
    expect(told(at("test", { client: another.client, to: "sub_1" }))).toBeUndefined();
  });

  it("in lanes: what is about the same one shares one, and nothing else does", () => {
    const lanes = [
      at("grant.authorized", { grant: "grt_1" }),
      at("grant.revoked", { grant: "grt_1" }),
      at("grant.revoked", { grant: "grt_2" }),
      at("server.misconfigured"),
      at("server.recovered"),
      at("sync.parked", { sync: "syn_1" }),
      at("sync.resumed", { sync: "syn_1" }),
      at("library.parked", { library: "A" }),
      at("library.lifted", { library: "B" }),
      at("test", { to: "sub_1" }),
    ].map(laneOf);
    expect(lanes).toEqual([
      ...["grant grt_1", "grant grt_1", "grant grt_2", `server ${server}`, `server ${server}`],
      ...["sync syn_1", "sync syn_1", `library ${server} A`, `library ${server} B`, "subscription sub_1"],
    ]);
  });
});
