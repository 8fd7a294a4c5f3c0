import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import type { EventId } from "../../src/domain/id.ts";
import { hours, minutes, seconds } from "../../src/domain/instant.ts";
import { Deliverer } from "../../src/events/deliver.ts";
import { LIFE_MS } from "../../src/events/delivery-plan.ts";
import { DeliverySweep } from "../../src/events/sweep-deliveries.ts";
import { deliveryKit, type Received, receiver, status } from "./delivery-kit.ts";

const dataOf = ({ body }: Received) => JSON.parse(body) as { type: string; data: Record<string, string> };
const lanesOf = (got: readonly Received[]) => {
  const lanes = new Map<string, EventId[]>();
  for (const one of got) {
    const lane = dataOf(one).data.sync!;
    lanes.set(lane, [...(lanes.get(lane) ?? []), one.id]);
  }
  return lanes;
};

describe("an event", () => {
  it("arrives as Standard Webhooks says, and its own library verifies it", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id, secret } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);

    expect(to.got).toHaveLength(1);
    const { headers, body } = to.got[0]!;
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["webhook-id"]).toMatch(/^evt_[0-9a-z]{36}$/);
    const sent = new Webhook(secret).verify(body, headers as Record<string, string>);
    expect(sent).toEqual({
      type: "sync.resumed",
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: { organisation: kit.organisation, server: kit.ids.server, library: "ACTIVE", sync: "syn_a" },
    });
    expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
    expect(await kit.stories.deliveries(kit.caller, id, { limit: 10 })).toEqual([
      {
        event: headers["webhook-id"],
        number: 1,
        at: expect.any(Number),
        kind: "sync.resumed",
        state: "delivered",
        attempts: [
          { at: expect.any(Number), status: 200, reason: "answered", elapsedMs: expect.any(Number) },
        ],
      },
    ]);
  });

  it("is told from the subscription on, of its kinds, within its client's policy as it is then", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    await kit.sync("before");
    const { id } = await kit.subscribe(to.url, { kinds: ["sync.resumed"] });
    await kit.sync("a");
    await kit.emit("server.recovered");
    await kit.emit("sync.resumed", { sync: "syn_x", client: "cli_another", library: "ACTIVE" });
    await kit.run(id);
    expect(to.got.map((one) => dataOf(one).data.sync)).toEqual(["syn_a"]);

    kit.policies.clear();
    await kit.sync("b");
    await kit.run(id);
    kit.policies.set(kit.ids.client, kit.policy);
    await kit.run(id);
    expect(to.got).toHaveLength(1);
  });

  it("that waits is withheld once the policy no longer allows it", async () => {
    const to = await receiver(status(500));
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);
    to.says(status(200));
    kit.policies.clear();
    await kit.runWhenDue(id);
    expect(to.got).toHaveLength(1);
    const [record] = await kit.stories.operators
      .find(id)
      .then(() => kit.ports.deliveries.history(id, undefined, 5));
    expect(record).toMatchObject({ state: "withheld" });
  });

  it("is not sent while its client is contained or stopped, and leaves afterwards", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    kit.state.contained = true;
    await kit.sync("a");
    await kit.run(id);
    kit.state.contained = false;
    kit.state.standing = "stopped";
    kit.offset.ms += minutes(1);
    await kit.run(id);
    expect(to.got).toHaveLength(0);
    kit.state.standing = "active";
    kit.offset.ms += minutes(2);
    expect(await kit.sweep.sweep()).toContain(id);
    await kit.run(id);
    expect(to.got).toHaveLength(1);
  });
});

describe("lanes", () => {
  it("keep their order over failures, and do not wait for one another", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    to.says(
      (got, response) => void response.writeHead(dataOf(got).data.sync === "syn_bad" ? 422 : 200).end(),
    );
    for (let i = 0; i < 6; i++) {
      await kit.sync("bad");
      await kit.sync("good");
    }
    await kit.run(id);
    expect(lanesOf(to.distinct()).get("syn_good")).toHaveLength(6);
    expect(lanesOf(to.distinct()).get("syn_bad")).toHaveLength(1);

    to.says(status(200));
    await kit.runWhenDue(id);
    const ids = lanesOf(to.distinct()).get("syn_bad")!;
    expect(ids).toHaveLength(6);
    expect(ids).toEqual([...ids].sort());
  });

  it("go on behind an event that was refused for three days, which is a dead letter and can be replayed", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    let poison: EventId | undefined;
    to.says((got, response) => {
      poison ??= got.id;
      response.writeHead(got.id === poison ? 400 : 200).end();
    });
    const began = kit.ports.clock.now();
    await kit.sync("a");
    await kit.sync("a");
    await kit.run(id);
    for (let i = 0; i < 9; i++) {
      expect((await kit.ports.deliveries.summary(id)).waiting).toBe(2);
      await kit.runWhenDue(id);
    }
    expect(kit.ports.clock.now() - began).toBeGreaterThan(LIFE_MS * 0.85);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 0, dead: 1, delivered: 1 });
    const [, dead] = await kit.stories.deliveries(kit.caller, id, { limit: 5 });
    expect(dead).toMatchObject({ event: poison, state: "dead" });
    expect(dead!.attempts).toHaveLength(10);

    to.says(status(200));
    expect(await kit.stories.replay(kit.caller, id, { dead: true }, { actor: "t", requestId: "r" })).toBe(1);
    await kit.run(id);
    expect(to.got.at(-1)!.id).toBe(poison);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 0, dead: 0, delivered: 2 });
  });
});

describe("a receiver", () => {
  it("that is down is probed alone, and sent everything at once when it answers again", async () => {
    const to = await receiver(status(503));
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    for (let i = 0; i < 40; i++) await kit.sync(`lane${i % 8}`);
    await kit.run(id);
    const first = to.got.length;
    expect(first).toBeLessThanOrEqual(6);
    for (let i = 1; i <= 8; i++) {
      await kit.runWhenDue(id);
      expect(to.got.length).toBe(first + i);
    }
    expect((await kit.ports.deliveries.summary(id)).receiver.probeAt).toBeDefined();
    to.says(status(200));
    await kit.runWhenDue(id);
    const taken = to.got.slice(first + 8);
    expect(taken).toHaveLength(40);
    for (const ids of lanesOf(taken).values()) expect(ids).toEqual([...ids].sort());
    expect(kit.operators.lines.map(({ code, outcome }) => code ?? outcome)).toEqual([
      "receiver_down",
      "receiver_answers",
    ]);
  });

  it("that is well again is sent what waits for an hour yet, because one lane alone had failed before", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    const laneOf = (got: Received) => dataOf(got).data.sync;
    to.says((got, response) => status(laneOf(got) === "syn_a" ? 500 : 200)(got, response));
    await kit.sync("a");
    for (let i = 0; i < 3; i++) {
      // Another lane is taken in between, so the receiver is not down.
      await kit.sync("b");
      await kit.runWhenDue(id);
    }
    await kit.sync("b");
    to.says(status(500));
    for (let i = 0; i < 3; i++) await kit.runWhenDue(id);
    expect((await kit.ports.deliveries.summary(id)).receiver.probeAt).toBeDefined();
    const lanes = await kit.ports.deliveries.take(id, 5, true);
    expect(lanes.find(({ lane }) => lane.includes("syn_a"))!.tries).toBeGreaterThan(2);
    to.says(status(200));
    const before = kit.ports.clock.now();
    await kit.runWhenDue(id);
    expect(kit.ports.clock.now() - before).toBeLessThan(minutes(6));
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 0, dead: 0 });
  });

  it("that took nothing for three days leaves dead letters of what waited all that time, and of nothing else", async () => {
    const to = await receiver(status(500));
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    for (const lane of ["a", "a", "b"]) await kit.sync(lane);
    for (let i = 0; i < 4; i++) await kit.runWhenDue(id);
    kit.offset.ms += hours(40);
    await kit.sync("a");
    await kit.run(id);
    kit.offset.ms += LIFE_MS - hours(40);
    await kit.run(id);
    await kit.runWhenDue(id);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 1, dead: 3 });
    to.says(status(200));
    await kit.runWhenDue(id);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 0, dead: 3, delivered: 1 });
  });

  it("that asks for time by Retry-After is left alone until then", async () => {
    const to = await receiver(status(429, { "retry-after": "7200" }));
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);
    to.says(status(200));
    await kit.sync("b");
    kit.offset.ms += hours(2) - seconds(5);
    expect(await kit.sweep.behind(kit.organisation)).toEqual([]);
    await kit.run(id);
    expect(to.got).toHaveLength(1);
    kit.offset.ms += seconds(6);
    await kit.run(id);
    expect(to.got).toHaveLength(3);
  });

  it("that says 410 Gone is called no more until somebody enables it, and then has lost nothing", async () => {
    const to = await receiver(status(410));
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);
    const { subscription } = await kit.stories.find(kit.caller, id);
    expect(subscription).toMatchObject({ enabled: false, disabledBecause: "gone" });
    await kit.sync("a");
    kit.offset.ms += hours(1);
    await kit.run(id);
    expect(to.got).toHaveLength(1);
    expect(await kit.sweep.sweep()).not.toContain(id);

    to.says(status(200));
    const by = { actor: "client:test", requestId: "r" };
    const { subscription: now } = await kit.stories.change(kit.caller, id, { enabled: true }, by);
    expect(now.disabledBecause).toBeUndefined();
    await kit.run(id);
    expect(to.got).toHaveLength(3);
  });

  it("T18 is not followed to another address: a redirect is a failure", async () => {
    const [to, other] = [await receiver(), await receiver()];
    to.says(status(307, { location: other.url }));
    const kit = await deliveryKit({ origins: [to.origin, other.origin] });
    const { id } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);
    expect([to.got.length, other.got.length]).toEqual([1, 0]);
    const [record] = await kit.stories.deliveries(kit.caller, id, { limit: 1 });
    expect(record!.attempts[0]).toMatchObject({ status: 307, reason: "redirect" });
  });

  it("that answers and goes on talking has answered; one that hangs is given up after the deadline", async () => {
    const to = await receiver((_, response) => {
      response.writeHead(200);
      const more = () => response.write("x".repeat(16_384), () => setImmediate(more));
      more();
    });
    const kit = await deliveryKit({ origins: [to.origin], deadlineMs: 300 });
    const { id } = await kit.subscribe(to.url);
    await kit.sync("a");
    await kit.run(id);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({ waiting: 0, delivered: 1 });
    to.says(() => {});
    await kit.sync("a");
    await kit.run(id);
    expect(await kit.ports.deliveries.summary(id)).toMatchObject({
      waiting: 1,
      lastFailure: { status: undefined, reason: expect.stringMatching(/^(deadline|headers_timeout)$/) },
    });
  });
});

it("an announcement that was lost is healed by a sweep within ten seconds", async () => {
  const to = await receiver();
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  await kit.run(id);
  let passed = 0;
  const sweep = new DeliverySweep({ monotonicMs: () => passed }, kit.ports.deliveries);
  await sweep.sweep();
  await kit.sync("a");
  expect(await sweep.sweep()).not.toContain(id);
  passed = seconds(10);
  expect(await sweep.sweep()).toContain(id);
  await kit.run(id);
  passed = seconds(20);
  expect(await sweep.sweep()).not.toContain(id);
});

it("T18 whoever writes another address into the record gets no event signed, were the record believed", async () => {
  const [to, elsewhere] = [await receiver(), await receiver()];
  const kit = await deliveryKit({ origins: [to.origin, elsewhere.origin] });
  const { id } = await kit.subscribe(to.url);
  const before = (await kit.ports.subscriptions.find(id))!;
  const by = { before, fields: ["url"], note: { actor: "cli:somebody", requestId: "r" } };
  await kit.ports.subscriptions.put({ ...before, url: elsewhere.url }, by);
  await kit.sync("a");
  await expect(kit.run(id)).rejects.toMatchObject({ code: "integrity_failure" });
  expect([to.got.length, elsewhere.got.length]).toEqual([0, 0]);
});

it("T18 an address that nothing may be sent to is refused when it is named, and when it is changed to", async () => {
  const to = await receiver();
  const kit = await deliveryKit({ origins: [to.origin] });
  const { id } = await kit.subscribe(to.url);
  for (const url of [
    "http://app.example.com/events",
    "https://127.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://169.254.169.254/latest/meta-data",
    "https://user:secret@app.example.com/",
    "https://app.example.com:22/",
    "https://localhost/",
    `${to.origin.replace("http:", "https:")}/`,
    "no url",
    // An operator has it on his terminal, as it was named: no lines of its own, nothing that hides or moves what is there.
    "https://app.example.com/\n  enabled: true",
    "https://app.example.com/\u001b[2J",
    "https://app.example.com/\u009b2J",
    "https://app.example.com/\u202egnp.exe",
    " https://app.example.com/",
  ]) {
    const refused = { code: "invalid_request", details: { faults: [{ field: "url" }] } };
    await expect(kit.subscribe(url), url).rejects.toMatchObject(refused);
    const by = { actor: "client:test", requestId: "r" };
    await expect(kit.stories.change(kit.caller, id, { url }, by), url).rejects.toMatchObject(refused);
  }
});

describe("a worker that dies", () => {
  it("between sending and noting it: the event comes again under the same id, and order is kept", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    for (let i = 0; i < 5; i++) await kit.sync("a");
    // What a kill leaves behind: the request was answered, nothing was written, the lease stands.
    const { settle, end } = kit.ports.deliveries;
    let left = 2;
    Object.assign(kit.ports.deliveries, {
      settle: (...args: Parameters<typeof settle>) =>
        left-- > 0 ? settle.apply(kit.ports.deliveries, args) : Promise.reject(new Error("killed")),
      end: () => Promise.reject(new Error("killed")),
    });
    await kit.run(id).catch(() => {});
    Object.assign(kit.ports.deliveries, { settle, end });
    expect(to.got).toHaveLength(3);

    await kit.run(id);
    expect(to.got).toHaveLength(3);
    kit.offset.ms += seconds(31);
    expect(await kit.sweep.sweep()).toContain(id);
    await kit.run(id);
    const ids = to.got.map((one) => one.id);
    expect(ids[3]).toBe(ids[2]);
    expect(ids).toHaveLength(6);
    const distinct = [...new Set(ids)];
    expect(distinct).toHaveLength(5);
    expect(distinct).toEqual([...distinct].sort());
  });

  it("leaves its place to one at a time: who has lost the lease changes nothing", async () => {
    const to = await receiver();
    const kit = await deliveryKit({ origins: [to.origin] });
    const { id } = await kit.subscribe(to.url);
    for (let i = 0; i < 3; i++) await kit.sync("a");
    const { promise: held, resolve: hold } = Promise.withResolvers<ServerResponse>();
    to.says((_, response) => hold(response));
    const first = kit.run(id);
    const response = await held;
    await kit.run(id);
    expect(to.got).toHaveLength(1);
    to.says(status(200));
    response.end();
    await first;
    expect(to.got).toHaveLength(3);
    expect(to.distinct()).toHaveLength(3);
  });
});

it("a receiver that takes its time, with ever more to take, gives its place to those who wait for one", async () => {
  let skipped = 0;
  let sent = 0;
  const kit = await deliveryKit({
    origins: ["http://127.0.0.1:1"],
    send: async () => {
      sent++;
      skipped += 9_000;
      return { status: 200, retryAfterMs: undefined, elapsedMs: 9_000 };
    },
  });
  const { id } = await kit.subscribe("http://127.0.0.1:1/x");
  for (let i = 0; i < 30; i++) await kit.sync("a");
  const clock = { ...kit.ports.clock, monotonicMs: () => performance.now() + skipped };
  const deliverer = new Deliverer({ ...kit.ports, clock });
  expect(await deliverer.run(id)).toBe("goes_on");
  expect(sent).toBeLessThan(10);
  // Whoever looks for what is due finds it too, should this process die now.
  expect(await kit.sweep.sweep()).toContain(id);
  for (let runs = 0; (await deliverer.run(id)) === "goes_on"; runs++) expect(runs).toBeLessThan(20);
  expect(sent).toBe(30);
});

it("T18 nothing leaves while it is being looked up once more whether its client is still contained", async () => {
  const first = Promise.withResolvers<void>();
  let sent = 0;
  const kit = await deliveryKit({
    origins: ["http://127.0.0.1:1"],
    send: async () => {
      sent++;
      if (sent === 1) await first.promise;
      return { status: 200, retryAfterMs: undefined, elapsedMs: 1 };
    },
  });
  const { id } = await kit.subscribe("http://127.0.0.1:1/x");
  await kit.sync("a");
  await kit.sync("a");
  const settled = async () => {
    while ((await kit.ports.deliveries.summary(id)).waiting > 1);
    // Longer than the next one would take to leave.
    for (let i = 0; i < 20; i++) await kit.ports.deliveries.summary(id);
  };
  let looks = 0;
  const stops = {
    async findStop() {
      if (sent === 0) return undefined;
      looks++;
      if (looks === 2) {
        first.resolve();
        await settled();
      }
      return "ctn_x" as const;
    },
  };
  await new Deliverer({ ...kit.ports, stops }).run(id);
  expect([looks, sent]).toEqual([2, 1]);
});
