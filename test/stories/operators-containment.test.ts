import { describe, expect, it } from "vitest";
import { contain } from "../../src/broker/containment/contain.ts";
import type { ClientId } from "../../src/domain/id.ts";
import { addOrganisation } from "../kit/additions.ts";
import { firmWithOperators, signInOperator } from "../kit/operators.ts";
import { submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, type World } from "../kit/world.ts";

const PAGE = "/operators/containments";
const BY = { actor: "cli:test", requestId: "req_test" };

const status = async (here: World) =>
  (await here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject } }))
    .status;

describe("operators at Containment", () => {
  it("an operator counts, stops, sees how far it is and who authorises again, and lifts; without JavaScript", async () => {
    const { here, provider } = await firmWithOperators();
    await here.connect();
    expect(await status(here)).toBe(200);
    const firm = (await here.broker.configuration.findOrganisation(here.organisation as never))!.name;
    const { browser, landed } = await signInOperator(here, provider, "olga");
    expect(landed.body).toContain(`href="${PAGE}"`);
    const form = await browser.get(`${here.base}${PAGE}/new`);

    const wrong = await submit(browser, form, `${PAGE}/new`, {
      kind: "server",
      what: "nowhere/dms",
      reason: "x",
    });
    expect([wrong.status, wrong.body]).toEqual([
      422,
      expect.stringContaining("There is no server nowhere/dms"),
    ]);
    const told = { kind: "server", what: `${firm}/dms`, effect: "revoke", reason: "a stolen laptop" };
    const review = await submit(browser, form, `${PAGE}/new`, told);
    expect(review.status).toBe(200);
    expect(review.body).toMatch(/Tokens handed out in the last hour<\/dt><dd>1</);
    expect(review.body).toContain("Only revoking ends them");
    expect(await status(here)).toBe(200);

    const done = await submit(browser, review, `${PAGE}/new`, { ...told, confirm: "yes" });
    expect(done.location).toMatch(new RegExp(`^${here.base}${PAGE}/ctn_`));
    expect(await status(here)).toBe(403);
    await here.broker.containmentWork.settled();
    await here.broker.revoker.settled();
    const one = await browser.get(done.location!);
    expect(one.body).toContain("All done.");
    expect(one.body).toMatch(/Revoked<\/dt><dd>2</);
    expect(one.body).toContain("amelia.hart");
    expect(one.body).toContain("a stolen laptop");
    const id = done.location!.split("/").at(-1)!;
    for (const after of [
      "nonsense",
      `${id} nonsense`,
      `${id} 1-1-1`,
      `${id} ${"9".repeat(20)}-0`,
      `${id} ${"9".repeat(40)}-0`,
      "zzz 0-0",
    ])
      expect((await browser.get(`${done.location}?after=${encodeURIComponent(after)}`)).status).toBe(200);
    const csv = await browser.get(`${done.location}/reauthorizations.csv`);
    expect(csv.body).toContain("needed,");
    const audit = await here.broker.auditBuffer.read(here.organisation as never, 0, 1_000);
    expect(audit.map(({ fields }) => fields.action)).toContain("containment.begun");
    expect(audit.find(({ fields }) => fields.action === "containment.begun")!.fields.actor).toBe(
      `operator:${provider.origin} olga`,
    );

    const path = done.location!.slice(here.base.length);
    const lifted = await submit(browser, one, `${path}/lift`, { reason: "found it" });
    expect(lifted.location).toBe(here.base + path);
    expect((await browser.get(here.base + path)).body).toContain("found it");
    expect(await status(here)).toBe(409);
    await here.connect();
    expect((await browser.get(here.base + path)).body).toContain("Authorized again");
  });

  it("a user of a server whose customer is not known is named with it: no guess stops nobody", async () => {
    const { here, provider } = await firmWithOperators();
    await here.connect();
    const { configuration } = here.broker;
    const server = (await configuration.findServer(here.server))!;
    await put.server(configuration, { ...server, customerId: undefined });
    const firm = (await configuration.findOrganisation(here.organisation as never))!.name;
    const { browser } = await signInOperator(here, provider, "olga");
    const form = await browser.get(`${here.base}${PAGE}/new`);
    const told = { kind: "user", server: `${firm}/dms`, reason: "a stolen laptop" };
    const vague = await submit(browser, form, `${PAGE}/new`, { ...told, what: "amelia.hart" });
    expect([vague.status, vague.body]).toEqual([
      422,
      expect.stringContaining("write the user as CUSTOMER/amelia.hart"),
    ]);
    const exact = { ...told, what: "5948/amelia.hart" };
    const review = await submit(browser, vague, `${PAGE}/new`, exact);
    expect(review.body).toMatch(/Authorizations<\/dt><dd>1</);
    await submit(browser, review, `${PAGE}/new`, { ...exact, confirm: "yes" });
    expect(await status(here)).toBe(403);
  });

  it("support looks, at the organisations named for it alone, and knows people by less than their names", async () => {
    const { here, provider, supported } = await firmWithOperators();
    const { servers } = await addOrganisation(here, {
      name: supported,
      servers: { dms: { simulator: here.simulator } },
      clients: { app: {} },
    });
    const user = { customerId: "5948", userId: "amelia.hart" };
    const ports = here.broker.containment;
    const target = { kind: "user", server: servers.dms.id, user } as const;
    const mine = await contain(ports, { target, effect: "stop", reason: "his" }, BY);
    const elsewhere = { kind: "organisation", organisation: here.organisation as never } as const;
    const foreign = await contain(ports, { target: elsewhere, effect: "stop", reason: "another firm" }, BY);
    const everywhere = { kind: "client", client: here.client.id as ClientId } as const;
    const global = await contain(ports, { target: everywhere, effect: "stop", reason: "everywhere" }, BY);

    const { browser } = await signInOperator(here, provider, "sam");
    const list = await browser.get(here.base + PAGE);
    expect(list.body).toContain("a***");
    expect(list.body).not.toMatch(/amelia\.hart|another firm|everywhere</);
    const page = await browser.get(`${here.base}${PAGE}/${mine.id}`);
    expect(page.status).toBe(200);
    expect(page.body).not.toContain("amelia.hart");
    expect(page.body).not.toContain("/lift");
    for (const { id } of [foreign, global])
      expect((await browser.get(`${here.base}${PAGE}/${id}`)).status).toBe(404);
    expect((await browser.get(`${here.base}${PAGE}/new`)).status).toBe(403);
    const csrf = /name="csrf" value="([^"]+)"/.exec(list.body)![1]!;
    const forced = await browser.post(`${here.base}${PAGE}/${mine.id}/lift`, { csrf, reason: "x" });
    expect(forced.status).toBe(403);
  });

  it("whoever is not signed in is sent to where he can, and a form of another session is not taken", async () => {
    const { here, provider } = await firmWithOperators();
    const olga = await signInOperator(here, provider, "olga");
    const form = await olga.browser.get(`${here.base}${PAGE}/new`);
    const other = await signInOperator(here, provider, "olga");
    const refused = await submit(other.browser, form, `${PAGE}/new`, {
      kind: "server",
      what: "a/b",
      reason: "x",
    });
    expect(refused.status).toBe(403);
  });
});
