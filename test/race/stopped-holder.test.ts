import { expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { grantKey } from "../../src/store/keys.ts";
import { brokerProcesses, WITH_FAIL_POINTS } from "../kit/broker-process.ts";
import { expireLease, expireSoon } from "../kit/expire.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { AMELIA, world } from "../kit/world.ts";

it.each([
  { refusals: 0, state: "active" },
  { refusals: 2, state: "active" },
])(
  "a refusal of a token that is no longer the primary one is not believed, after $refusals before it (F20)",
  async ({ refusals, state }) => {
    const here = await world({ serverSettings: { rotation: "rotating" } });
    here.simulator.setSwitches({ refresh_mode: "rotate" });
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    const [late, taker] = await brokerProcesses(here, 2, "http", WITH_FAIL_POINTS);
    if (refusals > 0) {
      const store = here.broker.stores.fast;
      const since = (await store.now()) - 300_000;
      await store.call((redis) =>
        redis.hset(grantKey(grant as GrantId), "state", "suspect", "refusals", refusals, "refused_at", since),
      );
    }

    // iManage rotates for one who then stands still past its lease; the next presents the old token and is refused.
    await expireSoon(here, grant);
    const answered = await late!.failPoints.stop("answer-received", { grant });
    const first = here.clientOf(late!.base).accessToken(ask);
    await answered.reached;
    await expireLease(here, grant);
    const refused = await taker!.failPoints.wait("before-fail", { grant });
    const second = here.clientOf(taker!.base).accessToken(ask);
    await refused.reached;

    // The good news arrives before the bad is written down.
    const stored = late!.failPoints.next("after-commit", grant);
    late!.signal("SIGCONT");
    await stored;
    await refused.go();
    expect((await first).status).toBe(200);
    const read = await second;
    expect({ status: read.status, warning: read.body.warning }).toEqual({ status: 200, warning: undefined });

    const findings = await checkInvariants(here);
    expect(findings.broken).toEqual([]);
    expect(findings.grants).toMatchObject([{ grant, state, verdict: "healthy" }]);
  },
);
