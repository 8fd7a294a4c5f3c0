import { expect, it } from "vitest";
import type { SubscriptionId } from "../../src/domain/id.ts";
import { Problem } from "../../src/domain/problem.ts";
import { Subscriptions } from "../../src/events/subscriptions.ts";
import { BY, deliveryKit, receiver } from "./delivery-kit.ts";

const refusal = (asked: Promise<unknown>) =>
  asked.then(
    (answer) => answer,
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );

it("T29 a replay tells nothing of what is not the client's: neither how much there is, nor when, nor which kinds", async () => {
  const to = await receiver();
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  await kit.emit("sync.resumed", { sync: "syn_theirs", client: "cli_another", library: "ACTIVE" });
  await kit.sync("mine");
  const answer = await kit.log.read(kit.organisation, undefined, 10);
  const [theirs, mine] = answer.kind === "read" ? answer.events : [];
  await kit.run(id);

  const ever = { from: 0, to: Number.MAX_SAFE_INTEGER };
  expect(await kit.stories.replay(kit.caller, id, ever, BY)).toBe(1);
  expect(await kit.stories.operators.replay(id, ever, BY)).toBe(1);
  // As for one that never was.
  expect(await refusal(kit.stories.replay(kit.caller, id, { event: theirs!.id }, BY))).toBe("not_found");
  await kit.run(id);
  const told = await kit.stories.deliveries(kit.caller, id, { limit: 10 });
  expect(told.map(({ event }) => event)).toEqual([mine!.id]);
  expect(to.got.map((got) => got.id)).toEqual([mine!.id, mine!.id, mine!.id]);
});

it("a receiver that takes nothing makes nobody keep more than so much for it, however often all is replayed, and is told so", async () => {
  const to = await receiver();
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  for (let i = 0; i < 4; i++) await kit.sync(`s${i}`);
  const stories = new Subscriptions(kit.ports, { waitingMax: 10 });
  const ever = { from: 0, to: Number.MAX_SAFE_INTEGER };
  const all = (by = kit.caller) => refusal(stories.replay(by, id, ever, BY));
  // Also where they come at the same moment.
  const answers = await Promise.all(Array.from({ length: 6 }, () => all()));
  expect(answers.filter((answer) => answer === 4)).toHaveLength(2);
  expect(answers.filter((answer) => answer === "too_much_at_once")).toHaveLength(4);
  expect(await refusal(stories.operators.replay(id, ever, BY))).toBe("too_much_at_once");
  expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 8 });
  await kit.run(id);
  expect(await all()).toBe(4);
});

it("a client that asks for one test after the other pushes nobody's events out of the log", async () => {
  const to = await receiver();
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  const other = await kit.subscribe(to.url);
  const tests = async (of: SubscriptionId, by = kit.caller) => {
    const asked = await Promise.all(Array.from({ length: 12 }, () => refusal(kit.stories.test(by, of))));
    return asked.filter((answer) => answer !== "too_much_at_once").length;
  };
  expect(await tests(id)).toBe(10);
  expect(await tests(other.id)).toBe(0);
  const another = kit.another();
  expect(await tests((await kit.subscribe(to.url, {}, another)).id, another)).toBe(10);
  const refused = await kit.stories.test(kit.caller, id).catch((error: Problem) => error);
  expect(refused).toMatchObject({ details: { retryAfterMs: expect.any(Number) } });
  kit.offset.ms += (refused as Problem).details.retryAfterMs!;
  expect(await refusal(kit.stories.test(kit.caller, id))).toMatch(/^evt_/);
});

it("fifty subscriptions are fifty, also where all are made at the same moment", async () => {
  const kit = await deliveryKit({ origins: ["http://127.0.0.1:1"] });
  const made = await Promise.all(
    Array.from({ length: 55 }, () => refusal(kit.subscribe("http://127.0.0.1:1/x"))),
  );
  expect(made.filter((answer) => typeof answer === "string")).toHaveLength(5);
  expect(await kit.stories.list(kit.caller, kit.organisation)).toHaveLength(50);
});
