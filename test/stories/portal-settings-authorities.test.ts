import { describe, expect, it } from "vitest";
import type { Visit, WalkingBrowser } from "../../scripts/walk/browser.ts";
import { makeId } from "../../src/domain/id.ts";
import { days } from "../../src/domain/instant.ts";
import { issue, makeAuthority } from "../kit/certificates.ts";
import { enterPortal, submit } from "../kit/portal.ts";
import { put } from "../kit/put-records.ts";
import { world } from "../kit/world.ts";

const ADMIN = { role: "organisation_admin", subject: { type: "user", id: "u-admin" } };

async function opened(settings: Parameters<typeof world>[0] = {}) {
  const built = await world(settings);
  const { browser } = await enterPortal(built, ADMIN);
  const action = `/settings/servers/${built.server}/authorities`;
  const page = () => browser.get(built.base + action);
  const stored = async () => (await built.broker.configuration.findServer(built.server))!;
  return { built, browser, action, page, stored };
}

/** The difference first, then it is done. */
async function confirmed(browser: WalkingBrowser, from: Visit, action: string, form: Record<string, string>) {
  const review = await submit(browser, from, action, form);
  const confirm = /name="confirm" value="([^"]+)"/.exec(review.body)![1]!;
  return { review, done: await submit(browser, review, action, { ...form, confirm }) };
}

describe("a server's own certificate authorities on iManage settings", () => {
  it("T17 are shown with their fingerprint before they are trusted, join those that are there, and go one by one; all else of the server stays", async () => {
    const { built, browser, action, page, stored } = await opened({
      serverSettings: { rotation: "static", refreshTokenLifeMs: days(90) },
    });
    const before = await stored();
    const [first, second] = [makeAuthority("Meridian Root CA"), makeAuthority("Meridian Root CA 2")];
    expect((await browser.get(`${built.base}/settings`)).body).toContain("the public ones alone");

    // As browsers send it: lines end with CR LF.
    const pem = first.certificate.replaceAll("\n", "\r\n");
    const { review, done } = await confirmed(browser, await page(), action, { ca_certificates: pem });
    const shown = /SHA-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})/.exec(review.body)![1]!;
    expect(review.body).toContain("Meridian Root CA until");
    expect(done.location).toBe(`${built.base}${action}?changed=`);
    const told = await browser.get(done.location!);
    expect(told.body).toContain("It is changed.");
    expect(told.body).toContain(shown);
    const after = await stored();
    expect(after.trustedCertificates?.certificates).toMatchObject([
      { subject: "Meridian Root CA", fingerprint: shown },
    ]);
    expect(after.settings).toEqual(before.settings);
    expect([after.customerId, after.displayName, after.registration]).toEqual([
      before.customerId,
      before.displayName,
      before.registration,
    ]);
    expect(after.configurationGeneration).toBe(before.configurationGeneration + 1);
    expect(built.lines.join()).toContain(`certificate authorities of ${built.server} by person:`);

    // The one that is trusted already is not told twice.
    const both = second.certificate + first.certificate;
    await confirmed(browser, await page(), action, { ca_certificates: both });
    const names = async () =>
      (await stored()).trustedCertificates?.certificates.map(({ subject }) => subject);
    expect(await names()).toEqual(["Meridian Root CA 2", "Meridian Root CA"]);
    expect((await browser.get(`${built.base}/settings`)).body).toContain(
      "the public ones and Meridian Root CA 2, Meridian Root CA",
    );

    await confirmed(browser, await page(), action, { remove: shown });
    expect(await names()).toEqual(["Meridian Root CA 2"]);
    expect((await stored()).trustedCertificates?.pem.trim()).toBe(second.certificate.trim());
    const [left] = (await stored()).trustedCertificates!.certificates;
    const last = await confirmed(browser, await page(), action, { remove: left!.fingerprint });
    expect(last.review.body).toContain("public authorities alone");
    expect(await names()).toBeUndefined();
  });

  it("what cannot be one is refused in the reader's words, and a private key is not sent back", async () => {
    const { browser, action, page, stored } = await opened();
    const leaf = issue(makeAuthority("Meridian Root CA"), { hosts: ["dms.meridian.example"] });
    for (const [text, sentence] of [
      [leaf.key, "Certificate authorities holds a private key"],
      [leaf.certificate, "of a server, not of the authority"],
      ["", "holds no certificate"],
    ] as const) {
      const refused = await submit(browser, await page(), action, { ca_certificates: text });
      expect(refused.status).toBe(422);
      expect(refused.body).toContain(sentence);
      if (text !== "") expect(refused.body).not.toContain(text.slice(40, 90));
    }
    expect((await stored()).trustedCertificates).toBeUndefined();
  });

  it("one that has expired since does not stand in the way of the next", async () => {
    const { built, browser, action, page, stored } = await opened();
    const now = built.broker.clock.now();
    const old = issue("self", { hosts: ["old.example"], until: now + days(1) });
    await confirmed(browser, await page(), action, { ca_certificates: old.certificate });
    built.advance(days(2));
    const { browser: later } = await enterPortal(built, ADMIN);
    const next = issue("self", { hosts: ["next.example"], until: now + days(30) }).certificate;
    await confirmed(later, await later.get(built.base + action), action, { ca_certificates: next });
    expect((await stored()).trustedCertificates?.certificates).toMatchObject([{ subject: "next.example" }]);
  });

  it("T10 are not there for iManage's cloud, nor where the client secret is the operator's", async () => {
    const { built, browser, action, page, stored } = await opened();
    const form = await page();
    const { configuration } = built.broker;
    const own = await stored();
    const registration = (await configuration.findRegistration(own.registration))!;
    const id = makeId("reg", undefined, built.broker.clock.now(), built.broker.random.bytes(16));
    await put.registration(configuration, {
      ...registration,
      id,
      name: id.toLowerCase(),
      organisation: undefined,
    });
    const { certificate } = makeAuthority("Meridian Root CA");
    for (const change of [{ kind: "cloud" as const }, { registration: id }]) {
      await put.server(configuration, { ...own, ...change });
      expect((await page()).status).toBe(404);
      expect((await submit(browser, form, action, { ca_certificates: certificate })).status).toBe(404);
      expect((await browser.get(`${built.base}/settings`)).body).not.toContain("Certificate authorities");
      expect((await stored()).trustedCertificates).toBeUndefined();
    }
  });
});
