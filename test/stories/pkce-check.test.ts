import { expect, it } from "vitest";
import { WalkingBrowser } from "../../scripts/walk/browser.ts";
import { type ConnectSessionAnswer, complete, signIn } from "../../scripts/walk/connect.ts";
import type { ClientId, OrganisationId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { expectProblem, sessionOf } from "../kit/connecting.ts";
import { diagnose, found } from "../kit/diagnosing.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { withRules } from "../kit/policies.ts";
import { put } from "../kit/put-records.ts";
import { AMELIA, RETURN_URL, type World, world } from "../kit/world.ts";

const beginCheck = ({ client, server }: World) =>
  client.call<ConnectSessionAnswer>("POST", "/v1/connect-sessions", {
    server,
    subject: { type: "user", id: AMELIA.subject },
    return_url: RETURN_URL,
    check_pkce: true,
  });

async function check(here: World) {
  const begun = await beginCheck(here);
  expect(begun.status).toBe(201);
  const back = new URL(await signIn(new WalkingBrowser(), here.base, begun.body.start_url, AMELIA));
  const { id } = begun.body;
  return { id, ended: await complete(here.client, id, back.searchParams.get("completion")!, AMELIA.subject) };
}

async function pkceOf(here: World): Promise<string | undefined> {
  here.advance(minutes(2));
  return found((await diagnose(here)).body).pkce;
}

it("T04 a server that refuses a wrong verifier is known to honour PKCE, and the sign-in that was spent left nothing", async () => {
  const here = await world();
  await here.connect();
  const { id, ended } = await check(here);
  expectProblem(ended, "pkce_honoured");
  expect((await sessionOf(here.client, id)).body).toMatchObject({
    state: "failed",
    problem: { code: "pkce_honoured" },
  });
  expect(await pkceOf(here)).toBe("ok pkce.honoured");
  expect(here.simulator.truth().families).toHaveLength(1);
  // Whoever had authorised still has: his token lives and his grant is refreshed.
  const { status } = await here.client.accessToken({
    server: here.server,
    subject: { type: "user", id: AMELIA.subject },
  });
  expect(status).toBe(200);
  const { broken, with: verdict } = await checkInvariants(here);
  expect([broken, verdict("lost")]).toEqual([[], []]);
  expect((await here.connect()).status).toBe(200);
});

it("T04 a server that redeems a code with a wrong verifier is known to ignore PKCE, and who signed in is connected", async () => {
  const here = await world({ prepare: (simulator) => simulator.setSwitches({ pkce: "ignored" }) });
  const { ended } = await check(here);
  expect(ended).toMatchObject({ status: 200, body: { state: "connected" } });
  expect(await pkceOf(here)).toBe("warning pkce.not_honoured");
  const { status } = await here.client.accessToken({
    server: here.server,
    subject: { type: "user", id: AMELIA.subject },
  });
  expect(status).toBe(200);
  // Asked once more after the vendor mended it, the newer answer counts.
  here.simulator.setSwitches({ pkce: "checked" });
  expectProblem((await check(here)).ended, "pkce_honoured");
  expect(await pkceOf(here)).toBe("ok pkce.honoured");
});

it("T04 a refusal is believed only where codes are redeemed otherwise: before any sign-in it says nothing", async () => {
  const here = await world();
  expectProblem((await check(here)).ended, "pkce_honoured");
  expect(await pkceOf(here)).toBe("ok pkce.read");
});

it("T04 a code that was too old, or a client that is refused, is no answer about PKCE", async () => {
  const here = await world();
  await here.connect();
  here.simulator.setSwitches({ work_token_grant_expiry_seconds: 0.000_001 });
  expectProblem((await check(here)).ended, "code_expired_at_imanage");
  expect(await pkceOf(here)).toBe("ok pkce.read");
});

it("a client that may connect persons and not configure cannot spend their sign-ins", async () => {
  const here = await world();
  const { configuration } = here.broker;
  const { policy } = await configuration.findPolicy(
    here.client.id as ClientId,
    here.organisation as OrganisationId,
  );
  await put.policy(configuration, withRules(policy, { actions: ["connect", "token", "status"] }));
  expectProblem(await beginCheck(here), "not_allowed");
});
