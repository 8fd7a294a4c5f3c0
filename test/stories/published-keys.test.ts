import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { claimsOf, giveKeys, postAssertion, type SigningPair, sign, signingPair } from "../kit/assertions.ts";
import { world } from "../kit/world.ts";

/** What a client publishes, at an address that tells who asked what. */
async function publishing(answer: RequestListener) {
  const asked: string[] = [];
  const listener = createServer((request, response) => {
    asked.push(String(request.url));
    answer(request, response);
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void listener.close());
  return { origin: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`, asked };
}

const jwks = (pairs: readonly SigningPair[]): string => JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) });

/** A client that publishes its keys, at a broker that may ask there. */
async function withPublished(answer: RequestListener) {
  const place = await publishing(answer);
  const here = await world();
  const { base } = await here.replica({
    PUBLIC_BASE_URL: here.base,
    EGRESS_LOOPBACK_ORIGINS: `${here.simulator.origin},${place.origin}`,
  });
  await giveKeys(here, { jwksUri: `${place.origin}/jwks.json` });
  return { here, base, ...place };
}

describe("a client that publishes its keys", () => {
  it("is known by them, asked once for many and for an unknown kid not within a minute, and not where it may not be asked", async () => {
    const one = await signingPair("ES256", "one");
    const two = await signingPair("Ed25519", "two");
    let published = [one];
    const { here, base, asked } = await withPublished((_, response) => response.end(jwks(published)));
    for (let i = 0; i < 5; i++) {
      expect((await postAssertion(base, await sign(claimsOf(here), one))).status).toBe(200);
    }
    expect(asked).toEqual(["/jwks.json"]);
    published = [one, two];
    const fresh = await here.replica({
      PUBLIC_BASE_URL: here.base,
      EGRESS_LOOPBACK_ORIGINS: here.simulator.origin,
    });
    expect((await postAssertion(base, await sign(claimsOf(here), two))).status).toBe(401);
    // A broker that may not ask there cannot look: that is no wrong proof, and nothing is asked.
    const { status, body } = await postAssertion(fresh.base, await sign(claimsOf(here), one));
    expect([status, body.code, body.remedy]).toEqual([503, "client_keys_unavailable", "time"]);
    expect(asked).toHaveLength(1);
  });

  it("is never followed elsewhere: not by a redirect, not by what an assertion's header names (T14, T31)", async () => {
    const one = await signingPair("ES256", "one");
    const bait = await publishing((_, response) => response.end(jwks([one])));
    const { here, base, asked } = await withPublished((_, response) =>
      response.writeHead(307, { location: `${bait.origin}/jwks.json` }).end(),
    );
    const plain = await postAssertion(base, await sign(claimsOf(here), one));
    const named = await postAssertion(
      base,
      await sign(claimsOf(here), one, { jku: `${bait.origin}/jwks.json` }),
    );
    expect([plain.status, named.status]).toEqual([503, 401]);
    expect(asked).toEqual(["/jwks.json"]);
    expect(bait.asked).toEqual([]);
    expect(here.lines.join("")).toContain("status_307");
  });

  it.each([
    ["more than 64 KiB", (body: string) => body.padEnd(65 * 1_024), "body_too_large"],
    ["no JSON", () => "<html>", "not_json"],
    ["depth without end", () => "[".repeat(10_000), "not_json"],
  ])("%s is not taken for keys", async (_, spoil, why) => {
    const one = await signingPair();
    const { here, base } = await withPublished((_request, response) => response.end(spoil(jwks([one]))));
    expect((await postAssertion(base, await sign(claimsOf(here), one))).status).toBe(503);
    expect(here.lines.join("")).toContain(why);
  });

  it.each([
    "http://169.254.169.254/jwks",
    "https://localhost/jwks",
    "https://10.0.0.1/jwks",
    "http://127.0.0.1:6379/",
  ])("at %s is not asked (T14)", async (jwksUri) => {
    const here = await world();
    await giveKeys(here, { jwksUri });
    expect((await postAssertion(here.base, await sign(claimsOf(here), await signingPair()))).status).toBe(
      503,
    );
    expect(here.lines.join("")).toMatch(/url_scheme|address_denied/);
  });
});
