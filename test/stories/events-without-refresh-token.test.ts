import { expect, it } from "vitest";
import type { OrganisationId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { EventFollower } from "../kit/event-follower.ts";
import { world } from "../kit/world.ts";

it("an authorization without a refresh token that has run out is told once, with its reason; one that was renewed by then is not", async () => {
  const here = await world({
    serverSettings: { refreshToken: "optional" },
    prepare: (simulator) => simulator.registrations.patch("token-broker", { allow_refresh_token: false }),
  });
  const organisation = here.organisation as OrganisationId;
  const follower = new EventFollower(here.client, organisation);
  const sweep = () => here.broker.grantStore.warnOfExpiry(organisation, 500);

  await here.connect();
  expect(await follower.news()).toEqual(["grant.authorized u-amelia"]);
  await sweep();
  here.advance(minutes(20));
  await here.connect();
  here.advance(minutes(15));
  await sweep();
  expect(await follower.news()).toEqual(["grant.authorized u-amelia"]);

  here.advance(minutes(30));
  await sweep();
  await sweep();
  expect(await follower.news()).toEqual(["grant.reauthorization_required u-amelia no_refresh_token"]);
  expect(follower.seen.at(-1)!.data).toMatchObject({
    code: "reauthorization_required",
    remedy: "resource-owner",
    reason: "no_refresh_token",
    server: here.server,
  });
  const grant = String(follower.seen.at(-1)!.data.grant);
  expect((await here.broker.grantStore.timeline(grant as never)).at(-1)).toMatchObject({
    kind: "grant.ended",
  });

  await here.connect();
  expect(await follower.news()).toEqual(["grant.authorized u-amelia"]);
});
