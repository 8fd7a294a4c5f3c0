import { describe, expect, it } from "vitest";
import { complete } from "../../scripts/walk/connect.ts";
import { type AddedServer, addOrganisation, egressTo, startSimulators } from "../kit/additions.ts";
import {
  expectFailed,
  expectNothingStored,
  expectRefusedCallback,
  signInAtImanage,
  start,
  storedNouns,
  tokenRequests,
  unusedCodes,
} from "../kit/connecting.ts";
import { AMELIA, world } from "../kit/world.ts";

type Name = "head" | "branch" | "evil";
const NAMES: readonly Name[] = ["head", "branch", "evil"];
const ISS = ["absent", "right", "wrong", "other server's"] as const;

/**
 * Two servers of one firm, of which `branch` is known to send `iss`, and the server of another firm, whose owner is hostile.
 * Each is an iManage of its own.
 */
async function threeServers() {
  const simulators = await startSimulators(3);
  const built = await world({ settings: egressTo(simulators) });
  const [head, branch, evil] = simulators;
  const firm = await addOrganisation(built, {
    servers: {
      head: { simulator: head! },
      branch: { simulator: branch!, settings: { issuer: "required" } },
    },
    clients: { app: {} },
  });
  const other = await addOrganisation(built, {
    servers: { evil: { simulator: evil! } },
    clients: { app: {} },
  });
  const servers = { ...firm.servers, ...other.servers };
  const where = {
    head: { client: firm.clients.app, server: firm.servers.head.id },
    branch: { client: firm.clients.app, server: firm.servers.branch.id },
    evil: { client: other.clients.app, server: other.servers.evil.id },
  };
  return { built, firm, other, servers, where };
}

/** The authorize address at `at`, as a hostile server makes it from the one it was sent: its state, another's door. */
function bounced(sent: URL, at: AddedServer): URL {
  const url = new URL(`${at.simulator.origin}/auth/oauth2/authorize`);
  for (const [name, value] of sent.searchParams) url.searchParams.set(name, value);
  url.searchParams.set("redirect_uri", at.redirectUri);
  return url;
}

describe("T01 an answer is redeemed only at the server that was asked", () => {
  it("of the 36 of {path's server} × {state's server} × {iss} the consistent ones pass, and a code of another server is never presented", async () => {
    const { built, servers, where, firm, other } = await threeServers();
    const organisationOf = { head: firm.organisation, branch: firm.organisation, evil: other.organisation };
    const passed: string[] = [];
    let combinations = 0;

    for (const path of NAMES) {
      for (const state of NAMES) {
        for (const iss of ISS) {
          combinations++;
          const subject = { ...AMELIA, subject: `u-${combinations}` };
          const before = await storedNouns(built, organisationOf[state]);
          const started = await start(where[state], subject.subject);
          for (const { simulator } of Object.values(servers)) simulator.resetCounts();
          const unused = unusedCodes(servers[path].simulator);

          const authorize = bounced(started.authorize, servers[path]);
          const callback = await signInAtImanage({ ...started, authorize }, subject);
          expect(callback.href.startsWith(`${servers[path].redirectUri}?`)).toBe(true);
          const asked = servers[state].simulator.origin;
          const others = NAMES.find((name) => name !== state)!;
          if (iss !== "absent") {
            const value = {
              right: asked,
              wrong: "https://imanage.example",
              "other server's": servers[others].simulator.origin,
            }[iss];
            callback.searchParams.set("iss", value);
          }
          const back = await started.browser.get(callback.href);
          const label = `${path} ← ${state}, iss ${iss}`;

          const completion = new URL(back.location!).searchParams.get("completion");
          if (completion !== null) {
            const { client } = where[state];
            const completed = await complete(client, started.session, completion, subject.subject);
            expect(completed.body, label).toMatchObject({ state: "connected" });
            expect(tokenRequests(servers[state].simulator), label).toBe(1);
            passed.push(label);
            continue;
          }

          // Nobody was asked for a token, the honest code is as good as new, nothing was kept.
          for (const { simulator } of Object.values(servers)) expect(tokenRequests(simulator), label).toBe(0);
          expect(unusedCodes(servers[path].simulator), label).toBe(unused + 1);
          const stored = await storedNouns(built, organisationOf[state]);
          expect({ ...stored, ...EPHEMERAL }, label).toEqual({ ...before, ...EPHEMERAL });

          if (path !== state) {
            await expectRefusedCallback(started.browser, back, "authorization_server_mismatch");
            continue;
          }
          await expectFailed(built, where[state].client, started.session, "authorization_server_mismatch");
        }
      }
    }
    expect(combinations).toBe(36);
    expect(passed).toEqual([
      "head ← head, iss absent",
      "head ← head, iss right",
      "branch ← branch, iss right",
      "evil ← evil, iss absent",
      "evil ← evil, iss right",
    ]);
  });

  it("a victim who was bounced can still finish at the server that was asked", async () => {
    const { built, servers, where, firm, other } = await threeServers();
    const started = await start(where.evil);
    const callback = await signInAtImanage({
      ...started,
      authorize: bounced(started.authorize, servers.head),
    });
    const back = await started.browser.get(callback.href);
    await expectRefusedCallback(started.browser, back, "authorization_server_mismatch");
    await expectNothingStored(built, firm.organisation);
    await expectNothingStored(built, other.organisation);

    const own = await signInAtImanage(started);
    const returned = await started.browser.get(own.href);
    const completion = new URL(returned.location!).searchParams.get("completion")!;
    const completed = await complete(where.evil.client, started.session, completion, AMELIA.subject);
    expect(completed.body).toMatchObject({ state: "connected" });
    expect(tokenRequests(servers.head.simulator)).toBe(0);
  });

  it("an iss is wanted of a refusal too, so that nobody else can cancel a sign-in at a server that sends it", async () => {
    const { built, where, servers } = await threeServers();
    const started = await start(where.branch);
    const callback = new URL(servers.branch.redirectUri);
    callback.search = `${new URLSearchParams({ state: started.state, error: "access_denied" })}`;
    await started.browser.get(callback.href);
    await expectFailed(built, where.branch.client, started.session, "authorization_server_mismatch");
  });
});

/** What is there for minutes, whatever comes of a sign-in. */
const EPHEMERAL = { "audit-head": 0, "connect-session": 0, "authorization-request": 0, "connect-start": 0 };
