import { storeConsent } from "../../src/broker/authorization/redeem.ts";
import type { GrantId } from "../../src/domain/id.ts";
import { minutes } from "../../src/domain/instant.ts";
import { Problem } from "../../src/domain/problem.ts";
import { Secret } from "../../src/domain/secret.ts";
import type { World } from "./world.ts";

/**
 * Gives a world many users with a grant each, by the broker's own story but without a browser for each of them.
 * @param first number of the first of them
 */
export async function manyGrants(world: World, count: number, first = 0): Promise<readonly GrantId[]> {
  world.simulator.registrations.patch("token-broker", { access: "all_users" });
  const { authorization } = world.broker;
  const server = (await authorization.servers.findServer(world.server))!;
  // A busy machine may keep Redis' answer longer than the broker waits: that is not what any of these tests is about.
  const one = (i: number): Promise<GrantId> =>
    put(i).catch((error) => {
      if (error instanceof Problem && error.code === "store_unavailable") return put(i);
      throw error;
    });
  const put = async (i: number): Promise<GrantId> => {
    const id = `user.${i}`;
    world.simulator.users.put({ customer_id: 5948, id, password: "x" });
    const issued = world.simulator.issueTokens({ client_id: "token-broker", user: id });
    return storeConsent(
      authorization,
      {
        server,
        credentials: { clientId: "token-broker", secrets: [] },
        receivedAt: authorization.clock.monotonicMs(),
        answer: {
          accessToken: new Secret(issued.access_token),
          refreshToken: new Secret(issued.refresh_token!),
          accessTokenLifeMs: minutes(30),
          scope: undefined,
        },
        identity: {
          user: { customerId: "5948", userId: id, name: undefined, email: undefined },
          apiRoot: "",
          dmsVersion: undefined,
        },
      },
      { type: "user", client: world.client.id as never, subject: { type: "user", issuer: "client", id } },
      { actor: "test", requestId: "req_test" },
    );
  };
  const grants: GrantId[] = [];
  // Few at a time: with tens of thousands, the simulator's own part of fifty holds this process up for longer than Redis may take.
  for (let i = 0; i < count; i += 10) {
    grants.push(
      ...(await Promise.all(Array.from({ length: Math.min(10, count - i) }, (_, j) => one(first + i + j)))),
    );
  }
  return grants;
}

/** Lets every grant be due now, as after a long week-end. */
export async function allDue(world: World, grants: readonly GrantId[]): Promise<void> {
  const store = world.broker.stores.fast;
  const prefix = `b1:{o:${world.organisation.slice(4)}}:`;
  const now = await store.now();
  for (const grant of grants) {
    await store.call((redis) => redis.hset(`${prefix}grant:${grant}`, "due_at", now - 1, "at_exp", now - 1));
    await store.call((redis) => redis.zadd(`${prefix}due:refresh`, now - 1, grant));
  }
}

/** What the workers do with the schedule, once: everything that is due is tried. Answers how many were. */
export async function sweepOnce(world: World): Promise<number> {
  await world.broker.reconcile();
  const due = await world.broker.workerStories.sweepRefreshes();
  for (let i = 0; i < due.length; i += 20) {
    await Promise.all(due.slice(i, i + 20).map((id) => world.broker.workerStories.refreshGrant(id)));
  }
  return due.length;
}

/** Sweeps every `everyMs` of shifted time, for `forMs`. */
export async function sweepFor(world: World, forMs: number, everyMs = 5_000): Promise<void> {
  for (let passed = 0; passed < forMs; passed += everyMs) {
    world.advance(everyMs);
    await sweepOnce(world);
  }
}

export async function statesOf(world: World, grants: readonly GrantId[]): Promise<Record<string, number>> {
  const states: Record<string, number> = {};
  for (const id of grants) {
    const state = (await world.broker.grantStore.findGrant(id))?.state ?? "gone";
    states[state] = (states[state] ?? 0) + 1;
  }
  return states;
}
