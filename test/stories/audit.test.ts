import { describe, expect, it } from "vitest";
import { AuditVerifier } from "../../src/broker/audit/verify-audit.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import type { Policy } from "../../src/domain/policy.ts";
import { auditChain, readCheckpoint } from "../../src/security/audit-chain.ts";
import { addOrganisation } from "../kit/additions.ts";
import { verifyAuditFile } from "../kit/audit-file.ts";
import { BY_TEST } from "../kit/put-records.ts";
import { ownRedisForThisTest } from "../kit/redis.ts";
import { AMELIA, MOREAU, type World, world } from "../kit/world.ts";

interface Entry {
  readonly organisation: string;
  readonly sequence: number;
  readonly at: string;
  readonly action: string;
  readonly actor: string;
  readonly details: Readonly<Record<string, string>>;
}
interface Page {
  readonly items: readonly Entry[];
  readonly next: string | null;
}
const audit = async (here: World, query = "", organisation = here.organisation) =>
  here.client.call<Page>("GET", `/v1/audit?organisation=${organisation}${query}`);
const sequences = ({ body }: { readonly body: Page }) => body.items.map(({ sequence }) => sequence);
const askFor = (here: World, subject: string, purpose?: string) =>
  here.client.accessToken({
    server: here.server,
    subject: { type: "user", id: subject },
    ...(purpose !== undefined && { purpose }),
  });

describe("the audit by API", () => {
  it("is read newest first by pages, or followed from a number on, with filters", async () => {
    const here = await world();
    const { grant = "" } = (await here.connect()).body;
    await here.connect(MOREAU);
    for (let i = 0; i < 5; i++) await askFor(here, i === 2 ? MOREAU.subject : AMELIA.subject, `matter ${i}`);
    const whole = (await audit(here)).body.items;
    const newest = whole[0]!.sequence;
    expect(whole.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: newest }, (_, i) => newest - i),
    );
    expect(whole[0]).toMatchObject({
      organisation: here.organisation,
      action: "token.issued",
      means: "An application got an access token.",
      actor: `client:${here.client.id}`,
      request_id: expect.stringMatching(/^req_/),
      address: expect.stringMatching(/127\.0\.0\.1/),
      details: { purpose: "matter 4", server: here.server, grant, client: here.client.id },
    });

    const first = await audit(here, "&limit=3");
    expect(sequences(first)).toEqual([newest, newest - 1, newest - 2]);
    const second = await audit(here, `&limit=3&cursor=${first.body.next}`);
    expect(sequences(second)).toEqual([newest - 3, newest - 4, newest - 5]);
    const onwards = await audit(here, `&after=${newest - 4}&limit=2`);
    expect(sequences(onwards)).toEqual([newest - 3, newest - 2]);
    expect(sequences(await audit(here, `&limit=9&cursor=${onwards.body.next}`))).toEqual([
      newest - 1,
      newest,
    ]);
    expect((await audit(here, `&after=${newest}`)).body).toEqual({ items: [], next: null });

    expect(sequences(await audit(here, "&action=token.issued"))).toHaveLength(5);
    expect(sequences(await audit(here, `&action=token.issued&grant=${grant}`))).toHaveLength(4);
    expect(
      sequences(await audit(here, `&action=grant.authorized&person=${here.client.id.toUpperCase()}`)),
    ).toHaveLength(2);
    expect(sequences(await audit(here, "&person=amelia"))).toEqual([]);
    expect(sequences(await audit(here, `&client=${here.client.id}&action=policy.created`))).toHaveLength(1);
    expect(sequences(await audit(here, "&client=cli_00000000000000000000000000"))).toEqual([]);
    const [{ at }] = whole.slice(-1) as [Entry];
    expect(sequences(await audit(here, `&to=${at}`))).toEqual([]);
    expect(sequences(await audit(here, `&from=${whole[1]!.at}&to=${whole[0]!.at}`))).not.toContain(newest);
    expect(sequences(await audit(here, `&from=${whole[1]!.at}`))).toContain(newest);
  });

  it("is told to a client that may read it, of the servers that its policy names; foreign and unknown are the same", async () => {
    const here = await world();
    await here.connect();
    await askFor(here, AMELIA.subject);
    const foreign = await addOrganisation(here, {
      servers: { dms: { simulator: here.simulator }, other: { simulator: here.simulator } },
      clients: {
        reader: { actions: ["token", "status", "configure"] },
        auditor: { servers: ["other"], actions: ["audit"] },
      },
    });
    const at = `/v1/audit?organisation=${foreign.organisation}`;
    const unknown = await audit(here, "", "org_0000000000");
    const refused = await here.client.call("GET", at);
    expect([unknown.status, refused.status]).toEqual([404, 404]);
    expect({ ...refused.body, request_id: "" }).toEqual({ ...unknown.body, request_id: "" });
    expect((await foreign.clients.reader.call("GET", at)).body).toMatchObject({ code: "not_allowed" });
    const seen = (await foreign.clients.auditor.call<Page>("GET", at)).body.items;
    const servers = seen.map(({ details }) => details.server).filter((id) => id !== undefined);
    expect([...new Set(servers)]).toEqual([foreign.servers.other.id]);
    expect(seen.map(({ action }) => action)).toContain("organisation.created");

    const cursor = (await audit(here, "&limit=1")).body.next;
    const stolen = await foreign.clients.auditor.call("GET", `${at}&cursor=${cursor}`);
    expect(stolen).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    expect((await audit(here, "&cursor=made-up")).status).toBe(400);
    expect((await audit(here, "&action=nothing.known")).status).toBe(400);
    expect((await audit(here, "&limit=501")).status).toBe(400);
  });

  it("is told to a client for libraries, or for some users, of nobody whom its policy does not name", async () => {
    const here = await world();
    const { grant = "" } = (await here.connect()).body;
    const token = String((await askFor(here, AMELIA.subject)).body.access_token);
    const { configuration } = here.broker;
    const organisation = here.organisation as OrganisationId;
    const found = (await configuration.findPolicy(here.client.id as ClientId, organisation)).policy!;
    const about = ({ body }: { readonly body: Page }) => body.items.filter(({ details }) => details.grant);
    expect(about(await audit(here)).map(({ details }) => details.grant)).toContain(grant);
    const rule = found.rules[0]!;
    let before = found;
    for (const limits of [{ users: [] }, { users: [{ issuer: "client", id: MOREAU.subject }] }]) {
      const narrow: Policy = { ...found, rules: [{ ...rule, ...limits, libraries: ["ACTIVE_US"] }] };
      await configuration.putPolicy(narrow, { before, fields: ["users"], note: BY_TEST });
      before = narrow;
      const seen = await audit(here);
      expect(about(seen)).toEqual([]);
      expect(seen.body.items.map(({ action }) => action)).toContain("organisation.created");
      const trace = await here.client.call<{ items: object[] }>("POST", "/v1/audit/lookup", { token });
      expect(trace.body.items).toMatchObject([{ count: 0, handed_out: [] }]);
    }
  });

  it("says of a token that was found who was handed it, and keeps it nowhere", async () => {
    const here = await world();
    const { grant } = (await here.connect()).body;
    const token = String((await askFor(here, AMELIA.subject, "matter 7")).body.access_token);
    await askFor(here, AMELIA.subject, "matter 8");
    const lookUp = (body: object) =>
      here.client.call<{ items: { count: number; fingerprint: string; handed_out: Entry[] }[] }>(
        "POST",
        "/v1/audit/lookup",
        body,
      );
    const { status, body } = await lookUp({ token });
    expect(status).toBe(200);
    expect(body.items).toMatchObject([{ organisation: here.organisation, count: 2 }]);
    expect(body.items[0]!.handed_out.map(({ details }) => [details.purpose, details.grant])).toEqual([
      ["matter 7", grant],
      ["matter 8", grant],
    ]);
    expect(JSON.stringify(body)).not.toContain(token);
    expect((await lookUp({ token: `${token}x`, organisation: here.organisation })).body.items).toMatchObject([
      { count: 0, handed_out: [], searched_since: expect.any(String) },
    ]);
    const foreign = await addOrganisation(here, {
      servers: { dms: { simulator: here.simulator } },
      clients: { reader: { actions: ["token"] } },
    });
    expect((await lookUp({ token, organisation: foreign.organisation })).body).toMatchObject({
      code: "not_found",
    });
    const reader = await foreign.clients.reader.call("POST", "/v1/audit/lookup", { token });
    expect(reader.body).toMatchObject({ code: "not_allowed" });
    expect(here.lines.join("")).not.toContain(token);
  });

  it("is checked offline with the keys that the broker shows to anybody (T38)", async () => {
    const here = await world({ redisUrl: (await ownRedisForThisTest()).url });
    await here.connect();
    for (let i = 0; i < 3; i++) await askFor(here, AMELIA.subject);
    await here.broker.workerStories.exportAudit();
    const answer = await fetch(`${here.base}/.well-known/audit-keys`);
    const keys = (await answer.json()) as Parameters<typeof readCheckpoint>[0];
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    expect(JSON.stringify(keys)).not.toContain('"d"');
    const { lines } = await verifyAuditFile(here);
    const verifier = new AuditVerifier({ chain: auditChain, readCheckpoint: readCheckpoint(keys) });
    for (const line of lines) await verifier.line(line);
    const [, ours] = verifier.report().journals;
    expect(ours).toMatchObject({
      journal: here.organisation,
      fault: undefined,
      proven: { from: 1, to: ours!.last },
    });
  });
});
