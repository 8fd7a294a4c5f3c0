import { describe, expect, it } from "vitest";
import { readPrometheusText, type Scrape, sampleOf } from "../../../scripts/metrics/prometheus-text.ts";
import { minutes, seconds } from "../../../src/domain/instant.ts";
import { prefixNeedles, scan } from "../../kit/canary.ts";
import { AMELIA, type World, world } from "../../kit/world.ts";

const scrape = async ({ broker }: Pick<World, "broker">): Promise<Scrape> =>
  readPrometheusText(await broker.metrics.registry.metrics());

/** What has been counted between two scrapes: series → by how much. */
function between(before: Scrape, after: Scrape, name: string): Record<string, number> {
  const old = new Map(
    before.samples.map((sample) => [JSON.stringify(sample.labels) + sample.name, sample.value]),
  );
  return Object.fromEntries(
    after.samples
      .filter((sample) => sample.name === name)
      .map((sample) => [
        Object.values(sample.labels).join(" "),
        sample.value - (old.get(JSON.stringify(sample.labels) + name) ?? 0),
      ])
      .filter(([, grown]) => grown !== 0),
  );
}

const asks = (here: World, more: object = {}) =>
  here.client.accessToken({ server: here.server, subject: { type: "user", id: AMELIA.subject }, ...more });

describe("what is counted", () => {
  it("every request for a token is counted once by how it was answered, and every refresh by how it ended", async () => {
    const here = await world();
    await here.connect();
    const steps: [what: string, tokens: Record<string, number>, refreshes: Record<string, number>][] = [];
    const step = async (what: string, act: () => Promise<unknown>) => {
      const before = await scrape(here);
      await act();
      await here.broker.refresher.settled();
      const after = await scrape(here);
      steps.push([
        what,
        between(before, after, "token_broker_token_requests_total"),
        between(before, after, "token_broker_refreshes_total"),
      ]);
    };
    await step("from the store", () => asks(here));
    await step("for nobody", () =>
      here.client.accessToken({ server: here.server, subject: { type: "user", id: "u-nobody" } }),
    );
    here.advance(minutes(31));
    await step("five at the moment of expiry", () =>
      Promise.all(Array.from({ length: 5 }, () => asks(here))),
    );
    here.simulator.addFault({ on: { route: "token" }, do: { answer: { status: 503 } }, times: 1 });
    here.advance(minutes(31));
    await step("iManage answers 503", () => asks(here));
    here.advance(seconds(10));
    here.simulator.addFault({
      on: { route: "token" },
      do: { answer: { status: 400, body: '{"error":"invalid_grant"}' } },
      times: 1,
    });
    await step("iManage refuses once", () => asks(here));
    await step("and it cools down", () => asks(here));

    expect(steps).toEqual([
      ["from the store", { "served client none": 1 }, {}],
      ["for nobody", { "authorization_required client owner": 1 }, {}],
      [
        "five at the moment of expiry",
        { "served_after_refresh client none": 5 },
        { "refreshed expired none": 1 },
      ],
      ["iManage answers 503", { "imanage_unavailable client imanage": 1 }, { "upstream expired imanage": 1 }],
      [
        "iManage refuses once",
        { "imanage_unavailable client imanage": 1 },
        { "invalid_grant expired owner": 1 },
      ],
      ["and it cools down", { "imanage_unavailable client imanage": 1 }, {}],
    ]);
    const end = await scrape(here);
    expect(sampleOf(end, "token_broker_refreshes_held_back_total", { why: "cooling" })).toBe(1);
    // A histogram and its counter saw the same.
    expect(sampleOf(end, "token_broker_token_request_seconds_count")).toBe(
      sampleOf(end, "token_broker_token_requests_total", { by: "client" }),
    );
    expect(sampleOf(end, "token_broker_refresh_seconds_count")).toBe(
      sampleOf(end, "token_broker_refreshes_total"),
    );
    expect(sampleOf(end, "token_broker_call_seconds_count", { to: "token", outcome: "failed" })).toBe(1);
    expect(sampleOf(end, "token_broker_redis_call_seconds_count", { operation: "vend" })).toBeGreaterThan(8);
  });

  it("T36: whatever a hostile client sends, no series is made of it, and no secret is in a scrape", async () => {
    const here = await world();
    await here.connect();
    const series = ({ samples }: Scrape) =>
      samples.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`).sort();
    const before = await scrape(here);
    const paths = [
      '/v1/x"} 1\n',
      "/V1/access-tokens",
      "/%7Bx%7D",
      "/v1/grants/made-up/up",
      "/oauth2/TOKEN",
      "/aa/bb",
    ];
    for (const path of paths) await here.client.call("POST", path, { x: 1 }).catch(() => {});
    for (const id of ['u"}', "new\nline", "x".repeat(200)])
      await here.client.accessToken({ server: here.server, subject: { type: "user", id } });
    await fetch(`${here.base}/v1/access-tokens`, { method: "PROPFIND" });
    await asks(here, { purpose: 'quotes " and {braces}' });
    const after = await scrape(here);
    expect(series(after)).toEqual(series(before));
    expect(scan(await here.broker.metrics.registry.metrics(), prefixNeedles, "the metrics")).toEqual([]);
    expect(
      sampleOf(after, "token_broker_http_request_seconds_count", { surface: "unmatched" }),
    ).toBeGreaterThan(3);
  });
});
