import { expect, it } from "vitest";
import type { GrantId } from "../../src/domain/id.ts";
import { grantKey } from "../../src/store/keys.ts";
import { brokerProcesses, WITH_FAIL_POINTS } from "../kit/broker-process.ts";
import { expireLease, expireSoon } from "../kit/expire.ts";
import { OF_A_GOOD_REFRESH } from "../kit/fail-points.ts";
import { checkInvariants } from "../kit/invariants.ts";
import { Seeded } from "../kit/seeded.ts";
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

const STOPS = Number(process.env.TEST_STOPS ?? 6);

it.each([
  { rotation: "leeway", mode: "leeway" },
  { rotation: "rotating", mode: "rotate" },
] as const)(
  `SIGSTOP of the holder past its lease, ${STOPS} times, $rotation: no older token over a newer one, nobody sent to sign in (F20)`,
  {
    timeout: 30_000 + STOPS * 3_000,
  },
  async ({ rotation, mode }) => {
    const here = await world({ serverSettings: { rotation } });
    here.simulator.setSwitches({ refresh_mode: mode, leeway_seconds: 60 });
    await here.connect();
    const ask = { server: here.server, subject: { type: "user", id: AMELIA.subject } };
    const { grant } = (await here.client.accessToken(ask)).body;
    const [holder, taker] = await brokerProcesses(here, 2, "http", WITH_FAIL_POINTS);
    const seeded = new Seeded();

    for (let stop = 1; stop <= STOPS; stop++) {
      const point = seeded.pick(OF_A_GOOD_REFRESH.slice(0, 5));
      const told = `seed ${seeded.seed}, stop ${stop} at ${point}`;
      await expireSoon(here, grant);
      const stopped = await holder!.failPoints.stop(point, { grant });
      const first = here.clientOf(holder!.base).accessToken(ask);
      await stopped.reached;
      await expireLease(here, grant);
      expect((await here.clientOf(taker!.base).accessToken(ask)).status, told).toBe(200);
      // Often the taker has come to its end, sometimes it is in the middle of the next refresh.
      const next =
        seeded.next() < 0.5
          ? expireSoon(here, grant).then(() => here.clientOf(taker!.base).accessToken(ask))
          : undefined;
      const continuedAt = performance.now();
      holder!.signal("SIGCONT");
      expect((await first).status, told).toBe(200);
      expect(performance.now() - continuedAt, told).toBeLessThan(3_000);
      await next;
      // Judged before anybody refreshes again: within the leeway that would heal even this.
      expect((await checkInvariants(here)).with("older-over-newer"), told).toEqual([]);

      // One more, for whoever was refused while the other stood still.
      await expireLease(here, grant);
      await expireSoon(here, grant);
      const again = await here.client.accessToken(ask);
      expect({ status: again.status, warning: again.body.warning }, told).toEqual({
        status: 200,
        warning: undefined,
      });
      const { grants, broken } = await checkInvariants(here);
      expect(broken, told).toEqual([]);
      expect(grants, told).toMatchObject([{ state: "active", verdict: "healthy" }]);
    }
  },
);
