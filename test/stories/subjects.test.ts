import { expect, test } from "vitest";
import { auditKey } from "../../src/store/keys.ts";
import { anotherClient } from "../kit/another-client.ts";
import { AMELIA, MOREAU, world } from "../kit/world.ts";

test("one whose id changes at an application keeps his authorization, without a new consent (T11)", async () => {
  const here = await world();
  await here.connect();
  const { client, server } = here;
  const token = (id: string) => client.accessToken({ server, subject: { type: "user", id } });
  const move = (from: string, to: string, upstream_user: string) =>
    client.call("POST", "/v1/subjects/move", {
      server,
      from: { id: from },
      to: { type: "user", id: to },
      upstream_user,
    });
  const { body } = await token(AMELIA.subject);

  // Whom the client calls somebody else is not moved, and neither is anybody who is not here.
  expect(await move(AMELIA.subject, "u-new", "e.moreau")).toMatchObject({
    status: 409,
    body: { code: "upstream_user_changed" },
  });
  expect(await move("u-nobody", "u-new", "amelia.hart")).toMatchObject({
    body: { code: "authorization_required" },
  });
  expect((await token(AMELIA.subject)).status).toBe(200);

  expect(await move(AMELIA.subject, AMELIA.subject, "amelia.hart")).toMatchObject({
    status: 200,
    body: { moved: false },
  });
  expect(await move(AMELIA.subject, "u-new", "Amelia.Hart")).toMatchObject({
    status: 200,
    body: { grant: body.grant, moved: true },
  });
  expect(await move(AMELIA.subject, "u-new", "amelia.hart")).toMatchObject({
    status: 200,
    body: { moved: false },
  });
  expect((await token("u-new")).body.grant).toBe(body.grant);
  expect((await token(AMELIA.subject)).body).toMatchObject({ code: "authorization_required" });

  // Merged into an account that has another person's: refused, and both go on.
  await here.connect(MOREAU);
  expect(await move("u-new", MOREAU.subject, "amelia.hart")).toMatchObject({
    status: 409,
    body: { code: "upstream_user_changed" },
  });
  for (const id of ["u-new", MOREAU.subject]) expect((await token(id)).status).toBe(200);
  // Of another client's users nobody moves one.
  const other = await anotherClient(here);
  const foreign = {
    server,
    from: { id: "u-new" },
    to: { type: "user", id: "x" },
    upstream_user: "amelia.hart",
  };
  expect((await other.call("POST", "/v1/subjects/move", foreign)).status).toBeGreaterThanOrEqual(403);
  expect((await token("u-new")).status).toBe(200);

  const audit = await here.broker.stores.fast.connection.xrange(
    auditKey(here.organisation as never),
    "-",
    "+",
  );
  expect(audit.filter(([, fields]) => fields.includes("binding.moved"))).toHaveLength(1);
});

test("one who has left is ended by one call, at every server, and iManage is told", async () => {
  const here = await world();
  await here.connect();
  await here.connect(MOREAU);
  const { client, server, organisation } = here;
  const leave = () =>
    client.call<{ ended: object[] }>("POST", "/v1/subjects/end", {
      organisation,
      subject: { id: AMELIA.subject },
    });
  const left = await leave();
  expect(left).toMatchObject({
    status: 200,
    body: { ended: [{ server, grant: expect.stringMatching(/^grt_/) }] },
  });
  expect((await leave()).body).toEqual({ ended: [] });
  const token = (id: string) => client.accessToken({ server, subject: { type: "user", id } });
  expect((await token(AMELIA.subject)).body).toMatchObject({ code: "authorization_required" });
  expect((await token(MOREAU.subject)).status).toBe(200);
  await here.broker.revoker.settled();
  expect(here.simulator.counts().routes.revoke).toBeGreaterThan(0);
});
